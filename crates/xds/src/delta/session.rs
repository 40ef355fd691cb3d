//! The client's end: what was asked for and what is in force, kept across streams.

use crate::interest::{Interest, WILDCARD};
use crate::order;
use std::collections::{BTreeMap, HashMap, HashSet};
use weft_proto::pb::envoy::config::core::v3::Node;
use weft_proto::pb::envoy::service::discovery::v3 as discovery;
use weft_proto::pb::google::rpc::Status;

/// gRPC code 3, in the error of a NACK.
const INVALID_ARGUMENT: i32 = 3;

/// A response to be applied and then answered by [`Session::ack`] or [`Session::nack`].
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// Type of all resources in here.
    pub type_url: String,
    /// New and changed ones, each with its name and body.
    pub resources: Vec<discovery::Resource>,
    /// Names that are gone, or that the server does not have.
    pub removed: Vec<String>,
    /// Handed back with the answer.
    pub nonce: String,
}

/// What became of a response.
#[derive(Clone, Debug, PartialEq)]
pub enum Received {
    /// To be applied.
    Update(Update),
    /// It breaks the protocol; nothing of it may be applied, and this refusal is to be sent.
    Broken(Box<discovery::DeltaDiscoveryRequest>),
}

#[derive(Debug, Default)]
struct Type {
    interest: Interest,
    /// In force, by name; told to the server when a new stream opens.
    versions: HashMap<String, String>,
    /// Responses that are not answered yet, by nonce.
    pending: HashMap<String, Pending>,
}

#[derive(Debug, Default)]
struct Pending {
    versions: Vec<(String, String)>,
    removed: Vec<String>,
}

/// All subscriptions of one client. Outlives its streams.
#[derive(Debug)]
pub struct Session {
    node: Node,
    /// The node was not told on this stream yet.
    node_due: bool,
    types: BTreeMap<(usize, String), Type>,
}

impl Session {
    /// A session that asks for nothing yet.
    pub fn new(node: Node) -> Self {
        Self {
            node,
            node_due: true,
            types: BTreeMap::new(),
        }
    }

    /// Asks for names, or for everything by `*`. The request is for the open stream, if there is one.
    pub fn subscribe(
        &mut self,
        type_url: &str,
        names: &[String],
    ) -> Option<discovery::DeltaDiscoveryRequest> {
        if names.is_empty() {
            return None; // on the wire this would mean everything
        }
        let known = self.types.entry(key(type_url)).or_default();
        // The limits guard servers; a client's own wish is not an attack on itself.
        let _ = known.interest.add(names);
        let node_due = std::mem::take(&mut self.node_due);
        Some(discovery::DeltaDiscoveryRequest {
            node: node_due.then(|| self.node.clone()),
            resource_names_subscribe: names.to_vec(),
            ..request(type_url)
        })
    }

    /// Asks no longer for names. What is in force under them is forgotten, unless the wildcard still covers it.
    pub fn unsubscribe(
        &mut self,
        type_url: &str,
        names: &[String],
    ) -> Option<discovery::DeltaDiscoveryRequest> {
        let known = self.types.get_mut(&key(type_url))?;
        let interest = &mut known.interest;
        let asked = |name: &&String| {
            if *name == WILDCARD {
                interest.is_wildcard()
            } else {
                interest.is_named(name)
            }
        };
        let asked: Vec<String> = names.iter().filter(asked).cloned().collect();
        if asked.is_empty() {
            return None; // as the first request of its type it would mean everything
        }
        interest.remove(&asked);
        known.versions.retain(|name, _| known.interest.wants(name));
        Some(discovery::DeltaDiscoveryRequest {
            resource_names_unsubscribe: asked,
            ..request(type_url)
        })
    }

    /// Declares what is in force before the first stream, such as from a saved configuration.
    pub fn restore(
        &mut self,
        type_url: &str,
        versions: impl IntoIterator<Item = (String, String)>,
    ) {
        self.types
            .entry(key(type_url))
            .or_default()
            .versions
            .extend(versions);
    }

    /// What is in force: name and version.
    pub fn versions(&self, type_url: &str) -> impl Iterator<Item = (&str, &str)> {
        let known = self.types.get(&key(type_url));
        known
            .into_iter()
            .flat_map(|known| &known.versions)
            .map(|(name, version)| (name.as_str(), version.as_str()))
    }

    /// The first requests of a new stream, clusters first; the node goes with the first of them only.
    pub fn hello(&mut self) -> Vec<discovery::DeltaDiscoveryRequest> {
        let mut node = Some(self.node.clone());
        let mut requests = Vec::new();
        for ((_, type_url), known) in &mut self.types {
            known.pending.clear();
            let wildcard = known.interest.is_wildcard().then(|| WILDCARD.to_owned());
            let names: Vec<String> = wildcard.into_iter().chain(known.interest.names()).collect();
            if names.is_empty() {
                continue;
            }
            requests.push(discovery::DeltaDiscoveryRequest {
                node: node.take(),
                resource_names_subscribe: names,
                initial_resource_versions: known.versions.clone(),
                ..request(type_url)
            });
        }
        self.node_due = node.is_some();
        requests
    }

    /// Takes in a response. What was not asked for (any more) is dropped from it.
    pub fn receive(&mut self, response: discovery::DeltaDiscoveryResponse) -> Received {
        if let Err(message) = check(&response) {
            return Received::Broken(Box::new(refusal(
                &response.type_url,
                &response.nonce,
                message,
            )));
        }
        let Some(known) = self.types.get_mut(&key(&response.type_url)) else {
            return Received::Broken(Box::new(refusal(
                &response.type_url,
                &response.nonce,
                "this type was not asked for".into(),
            )));
        };
        let interest = &known.interest;
        let resources: Vec<_> = response
            .resources
            .into_iter()
            .filter(|r| interest.wants(&r.name))
            .collect();
        let removed: Vec<_> = response
            .removed_resources
            .into_iter()
            .filter(|name| interest.wants(name))
            .collect();
        let versions = resources
            .iter()
            .map(|r| (r.name.clone(), r.version.clone()))
            .collect();
        known.pending.insert(
            response.nonce.clone(),
            Pending {
                versions,
                removed: removed.clone(),
            },
        );
        Received::Update(Update {
            type_url: response.type_url,
            resources,
            removed,
            nonce: response.nonce,
        })
    }

    /// Everything of the response is in force.
    pub fn ack(&mut self, type_url: &str, nonce: &str) -> discovery::DeltaDiscoveryRequest {
        self.settle(type_url, nonce, &[]);
        discovery::DeltaDiscoveryRequest {
            response_nonce: nonce.into(),
            ..request(type_url)
        }
    }

    /// The named resources were refused and the last good ones stay; all others of the response are in force.
    pub fn nack(
        &mut self,
        type_url: &str,
        nonce: &str,
        refused: &[String],
        message: String,
    ) -> discovery::DeltaDiscoveryRequest {
        self.settle(type_url, nonce, refused);
        refusal(type_url, nonce, message)
    }

    fn settle(&mut self, type_url: &str, nonce: &str, refused: &[String]) {
        let Some(known) = self.types.get_mut(&key(type_url)) else {
            return;
        };
        let Pending { versions, removed } = known.pending.remove(nonce).unwrap_or_default();
        for name in removed {
            known.versions.remove(&name);
        }
        // A name may have been given up between the response and its answer.
        let kept = versions
            .into_iter()
            .filter(|(name, _)| !refused.contains(name) && known.interest.wants(name));
        known.versions.extend(kept);
    }
}

fn key(type_url: &str) -> (usize, String) {
    (order::rank(type_url), type_url.to_owned())
}

fn request(type_url: &str) -> discovery::DeltaDiscoveryRequest {
    discovery::DeltaDiscoveryRequest {
        type_url: type_url.to_owned(),
        ..Default::default()
    }
}

fn refusal(type_url: &str, nonce: &str, message: String) -> discovery::DeltaDiscoveryRequest {
    let error = Status {
        code: INVALID_ARGUMENT,
        message,
        details: Vec::new(),
    };
    discovery::DeltaDiscoveryRequest {
        response_nonce: nonce.into(),
        error_detail: Some(error),
        ..request(type_url)
    }
}

/// The rules that every response must keep, whatever is in it.
fn check(response: &discovery::DeltaDiscoveryResponse) -> Result<(), String> {
    let mut names = HashSet::new();
    for resource in &response.resources {
        if !names.insert(&resource.name) {
            return Err(format!("`{}` is in one response twice", resource.name));
        }
        match &resource.resource {
            Some(body) if body.type_url == response.type_url => {}
            Some(body) => {
                return Err(format!(
                    "`{}` is a {}, in a response of {}",
                    resource.name, body.type_url, response.type_url
                ));
            }
            None => return Err(format!("`{}` has no content", resource.name)),
        }
    }
    Ok(())
}
