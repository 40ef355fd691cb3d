//! The server's end: what one client has of one type, and what it must be sent.

use crate::interest::{Excess, Interest, WILDCARD};
use crate::world::{Resource, Set};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use weft_proto::pb::envoy::service::discovery::v3 as discovery;

/// Responses whose answers we wait for; the oldest beyond that count as accepted.
const MOST_UNANSWERED: usize = 64;

/// Name and version of a resource that was sent.
type Sent = (Arc<str>, Arc<str>);

/// What the client holds under a name, as far as we know.
#[derive(Clone, Debug, PartialEq)]
enum Known {
    /// Sent, or brought along from an earlier stream.
    Has(Arc<str>),
    /// Sent and refused: holds something older or nothing, and wants no second look at this version.
    Refused(Arc<str>),
    /// Told that there is none.
    Absent,
    /// Must be told, whatever it is.
    Unknown,
}

impl Known {
    fn is_version(&self, version: &str) -> bool {
        matches!(self, Self::Has(v) | Self::Refused(v) if **v == *version)
    }
}

/// Which half of a difference a response carries; removals of clusters wait until nothing points to them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// New and changed resources.
    Changes,
    /// Names that are gone.
    Removals,
}

/// What a request said about an earlier response.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Everything in it is in force.
    Accepted,
    /// Something in it was refused.
    Refused {
        /// Every name in that response; which of them is faulty only the message says.
        names: Vec<Arc<str>>,
        /// The client's words.
        message: String,
    },
}

/// One type on one stream.
#[derive(Clone, Debug, Default)]
pub struct Subscription {
    interest: Interest,
    /// Has an entry for every explicit name and for all that was sent under the wildcard.
    known: BTreeMap<Arc<str>, Known>,
    /// Name and version of what was sent, by nonce.
    unanswered: BTreeMap<u64, Vec<Sent>>,
    /// A wildcard's first request is answered even if with nothing: clients wait for it at start.
    greeting_due: bool,
}

impl Subscription {
    /// Names that an earlier stream of this client may have left behind although it does not list them.
    ///
    /// Envoy forgets the version of everything in a response that it refused in part; without this a
    /// resource deleted meanwhile would stay for ever. To be called before the first request.
    pub fn suspect(&mut self, names: impl IntoIterator<Item = Arc<str>>) {
        self.known
            .extend(names.into_iter().map(|name| (name, Known::Unknown)));
    }

    /// Takes in a request; what it subscribes counts even when its nonce is stale.
    ///
    /// # Errors
    /// [`Excess`] if the client asks for more than any client needs.
    pub fn request(
        &mut self,
        request: &discovery::DeltaDiscoveryRequest,
    ) -> Result<Option<Answer>, Excess> {
        let answer = self.answer(request);
        let first = self.interest.is_unasked();
        if first {
            self.bring_along(request);
        }
        let before = self.interest.is_wildcard();
        self.interest.add(&request.resource_names_subscribe)?;
        if self.interest.is_wildcard() && !before {
            self.doubt_unanswered();
        }
        self.interest.remove(&request.resource_names_unsubscribe);
        for name in request
            .resource_names_subscribe
            .iter()
            .filter(|name| *name != WILDCARD)
        {
            let brought = first && matches!(self.known.get(name.as_str()), Some(Known::Has(_)));
            if !brought && self.interest.is_named(name) {
                self.known.insert(name.as_str().into(), Known::Unknown);
            }
        }
        self.forget(&request.resource_names_unsubscribe);
        self.greeting_due |= first && self.interest.is_wildcard();
        Ok(answer)
    }

    /// Makes the client be sent these again if it has them.
    ///
    /// Envoy warms a changed cluster until its endpoints come again, and does not ask for them.
    pub fn resend<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        for name in names {
            if let Some(known) = self.known.get_mut(name) {
                *known = Known::Unknown;
            }
        }
    }

    /// Whether [`Subscription::respond`] has something to say.
    pub fn is_due(&self, set: &Set, part: Part) -> bool {
        match part {
            Part::Changes => self.greeting_due || !self.due(set, 1).is_empty(),
            Part::Removals => self.gone(set).next().is_some(),
        }
    }

    /// The next response that brings the client nearer to `set`, of at most about `limit` bytes; `None` if
    /// there is nothing to say. To be called until then.
    pub fn respond(
        &mut self,
        set: &Set,
        part: Part,
        nonce: u64,
        limit: usize,
    ) -> Option<discovery::DeltaDiscoveryResponse> {
        let mut response = discovery::DeltaDiscoveryResponse {
            nonce: nonce.to_string(),
            ..Default::default()
        };
        let mut sent = Vec::new();
        match part {
            Part::Changes => {
                let due = self.due(set, limit);
                let greeting = std::mem::take(&mut self.greeting_due);
                if due.is_empty() && !greeting {
                    return None;
                }
                response.resources = due
                    .iter()
                    .map(|(name, resource)| encoded(name, resource))
                    .collect();
                sent = due
                    .into_iter()
                    .map(|(name, resource)| (name, resource.version))
                    .collect();
                self.known
                    .extend(sent.iter().map(|(name, version)| {
                        (Arc::clone(name), Known::Has(Arc::clone(version)))
                    }));
            }
            Part::Removals => {
                response.removed_resources = self.removals(set);
                if response.removed_resources.is_empty() {
                    return None;
                }
            }
        }
        self.unanswered.insert(nonce, sent);
        if self.unanswered.len() > MOST_UNANSWERED {
            self.unanswered.pop_first();
        }
        Some(response)
    }

    /// The resources whose version the client lacks, in name order, up to the limit.
    fn due(&self, set: &Set, limit: usize) -> Vec<(Arc<str>, Resource)> {
        let wanted: Box<dyn Iterator<Item = (&Arc<str>, &Resource)>> =
            if self.interest.is_wildcard() {
                Box::new(set.iter())
            } else {
                Box::new(self.known.keys().filter_map(|name| set.get_key_value(name)))
            };
        let mut room = limit;
        wanted
            .filter(|(name, resource)| {
                !self
                    .known
                    .get(*name)
                    .is_some_and(|known| known.is_version(&resource.version))
            })
            .take_while(|(_, resource)| {
                let fits = room > 0;
                room = room.saturating_sub(resource.body.value.len().max(1));
                fits
            })
            .map(|(name, resource)| (Arc::clone(name), resource.clone()))
            .collect()
    }

    /// Names that the client may hold, and that are not in `set`.
    fn gone<'a>(&'a self, set: &'a Set) -> impl Iterator<Item = &'a Arc<str>> {
        let gone = |(name, known): &(&Arc<str>, &Known)| {
            !set.contains_key(*name) && **known != Known::Absent
        };
        self.known.iter().filter(gone).map(|(name, _)| name)
    }

    fn removals(&mut self, set: &Set) -> Vec<String> {
        let gone: Vec<Arc<str>> = self.gone(set).cloned().collect();
        for name in &gone {
            if self.interest.is_named(name) {
                self.known.insert(Arc::clone(name), Known::Absent);
            } else {
                self.known.remove(name);
            }
        }
        gone.iter().map(ToString::to_string).collect()
    }

    /// A response that was under way while the wildcard was given up and asked for again is applied by
    /// the client, although giving it up made us forget what was in it.
    fn doubt_unanswered(&mut self) {
        for (name, _) in self.unanswered.values().flatten() {
            self.known.entry(Arc::clone(name)).or_insert(Known::Unknown);
        }
    }

    /// What the client kept from an earlier stream.
    fn bring_along(&mut self, request: &discovery::DeltaDiscoveryRequest) {
        for (name, version) in &request.initial_resource_versions {
            self.known
                .insert(name.as_str().into(), Known::Has(version.as_str().into()));
        }
        let names: HashSet<&str> = request
            .resource_names_subscribe
            .iter()
            .map(String::as_str)
            .collect();
        if !names.is_empty() && !names.contains(WILDCARD) {
            self.known.retain(|name, _| names.contains(&**name));
        }
    }

    fn forget(&mut self, names: &[String]) {
        for name in names {
            match name.as_str() {
                WILDCARD => self.known.retain(|name, _| self.interest.is_named(name)),
                // The client still gets it by the wildcard and must hear what it is now.
                name if self.interest.is_wildcard() => {
                    _ = self.known.insert(name.into(), Known::Unknown)
                }
                name => _ = self.known.remove(name),
            }
        }
    }

    fn answer(&mut self, request: &discovery::DeltaDiscoveryRequest) -> Option<Answer> {
        let sent = self
            .unanswered
            .remove(&request.response_nonce.parse().ok()?)?;
        let Some(error) = &request.error_detail else {
            return Some(Answer::Accepted);
        };
        for (name, version) in &sent {
            if let Some(known) = self.known.get_mut(name)
                && *known == Known::Has(Arc::clone(version))
            {
                *known = Known::Refused(Arc::clone(version));
            }
        }
        let names = sent.into_iter().map(|(name, _)| name).collect();
        Some(Answer::Refused {
            names,
            message: error.message.clone(),
        })
    }
}

fn encoded(name: &str, resource: &Resource) -> discovery::Resource {
    discovery::Resource {
        name: name.to_owned(),
        version: resource.version.to_string(),
        resource: Some((*resource.body).clone()),
        ..Default::default()
    }
}
