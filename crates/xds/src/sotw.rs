//! The state-of-the-world variant, server's end only: our own client speaks delta.

use crate::delta::Answer;
use crate::interest::{Excess, Interest};
use crate::world::{Resource, Set};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use weft_proto::pb::envoy::service::discovery::v3 as discovery;

/// One type on one stream.
#[derive(Clone, Debug, Default)]
pub struct Subscription {
    interest: Interest,
    /// Nonce and version of the last response.
    last: Option<(String, String)>,
    /// The client asked for something new, and must be answered even if nothing changed.
    due: bool,
}

impl Subscription {
    /// Takes in a request. One that answers an older response than the last is passed over, as its
    /// author sends another when it has read on.
    ///
    /// # Errors
    /// [`Excess`] if the client asks for more than any client needs.
    pub fn request(
        &mut self,
        request: &discovery::DiscoveryRequest,
    ) -> Result<Option<Answer>, Excess> {
        let answers_last = self
            .last
            .as_ref()
            .is_some_and(|(nonce, _)| *nonce == request.response_nonce);
        if self.last.is_some() && !request.response_nonce.is_empty() && !answers_last {
            return Ok(None);
        }
        let before = self.interest.clone();
        self.interest.replace(&request.resource_names)?;
        self.due |= before.is_unasked() || self.interest.exceeds(&before);
        let refused = request.error_detail.as_ref().map(|error| Answer::Refused {
            names: Vec::new(),
            message: error.message.clone(),
        });
        Ok(refused.or(answers_last.then_some(Answer::Accepted)))
    }

    /// Makes the client be sent everything again that it asked for, as [`crate::delta::Subscription::resend`].
    pub fn resend(&mut self) {
        self.due = true;
    }

    /// The response that brings the client up to `set`; `None` if it is.
    ///
    /// Always carries all that the client asked for: what is left out of clusters and listeners is deleted.
    pub fn respond(&mut self, set: &Set, nonce: u64) -> Option<discovery::DiscoveryResponse> {
        if self.interest.is_unasked() {
            return None;
        }
        let wanted = || set.iter().filter(|(name, _)| self.interest.wants(name));
        let version = digest(wanted());
        let sent_before = self.last.as_ref().is_some_and(|(_, last)| *last == version);
        if sent_before && !self.due {
            return None;
        }
        let resources = wanted()
            .map(|(_, resource)| (*resource.body).clone())
            .collect();
        self.due = false;
        self.last = Some((nonce.to_string(), version.clone()));
        Some(discovery::DiscoveryResponse {
            version_info: version,
            resources,
            nonce: nonce.to_string(),
            ..Default::default()
        })
    }
}

/// Equal on replicas of the same build, which is all that a type-wide version is for.
fn digest<'a>(resources: impl Iterator<Item = (&'a Arc<str>, &'a Resource)>) -> String {
    let mut hasher = DefaultHasher::new();
    for (name, resource) in resources {
        (name, &resource.version).hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_proto::pb::google::protobuf::Any;
    use weft_proto::pb::google::rpc::Status;

    fn set(entries: &[(&str, &str)]) -> Set {
        let resource = |version: &str| Resource {
            version: version.into(),
            body: Arc::new(Any::default()),
        };
        entries
            .iter()
            .map(|(name, version)| ((*name).into(), resource(version)))
            .collect()
    }

    fn request(names: &[&str], nonce: &str) -> discovery::DiscoveryRequest {
        let resource_names = names.iter().map(ToString::to_string).collect();
        discovery::DiscoveryRequest {
            resource_names,
            response_nonce: nonce.into(),
            ..Default::default()
        }
    }

    fn count(server: &mut Subscription, set: &Set, nonce: u64) -> Option<usize> {
        server
            .respond(set, nonce)
            .map(|response| response.resources.len())
    }

    #[test]
    fn names_follow_the_protocol_text() {
        let world = set(&[("a", "1"), ("b", "1")]);
        type Row = (
            &'static str,
            &'static [&'static [&'static str]],
            &'static [Option<usize>],
        );
        #[rustfmt::skip]
        let table: [Row; 5] = [
            ("an empty first request means everything", &[&[], &[]], &[Some(2), None]),
            ("a new name is answered though sent before", &[&["a"], &["a", "b"], &["a"], &["a", "b"]], &[Some(1), Some(2), Some(1), Some(2)]),
            ("an emptied list means nothing", &[&["a"], &[]], &[Some(1), Some(0)]),
            ("a name in place of the legacy wildcard ends it", &[&[], &["a"]], &[Some(2), Some(1)]),
            ("the wildcard may stand beside names", &[&["*", "a"], &["*"]], &[Some(2), None]),
        ];
        for (rule, requests, answers) in table {
            let mut server = Subscription::default();
            let mut nonce = String::new();
            for (at, (names, expected)) in requests.iter().zip(answers).enumerate() {
                server.request(&request(names, &nonce)).unwrap();
                assert_eq!(
                    count(&mut server, &world, at as u64),
                    *expected,
                    "{rule}, step {at}"
                );
                nonce = at.to_string();
            }
        }
    }

    #[test]
    fn a_stale_nonce_is_not_answered() {
        let world = set(&[("a", "1"), ("b", "1")]);
        let mut server = Subscription::default();
        server.request(&request(&["a"], "")).unwrap();
        assert_eq!(count(&mut server, &world, 7), Some(1));
        assert_eq!(server.request(&request(&["a", "b"], "6")), Ok(None));
        assert_eq!(count(&mut server, &world, 8), None);
    }

    #[test]
    fn a_refused_state_is_not_sent_again_until_it_changes() {
        let mut server = Subscription::default();
        server.request(&request(&[], "")).unwrap();
        assert_eq!(count(&mut server, &set(&[("a", "bad")]), 1), Some(1));
        let error_detail = Some(Status {
            message: "no".into(),
            ..Default::default()
        });
        let answer = server.request(&discovery::DiscoveryRequest {
            error_detail,
            ..request(&[], "1")
        });
        assert_eq!(
            answer,
            Ok(Some(Answer::Refused {
                names: vec![],
                message: "no".into()
            }))
        );
        assert_eq!(count(&mut server, &set(&[("a", "bad")]), 2), None);
        assert_eq!(count(&mut server, &set(&[("a", "good")]), 2), Some(1));
    }
}
