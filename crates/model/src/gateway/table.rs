//! All Gateways, and what of them one proxy serves.

use super::parse::{parse, reference};
use super::{Edge, Gateway, Server, credentials};
use crate::build::inbound::Lead;
use crate::objects::credential::Credential;
use crate::objects::{Key, Objects, Pod, Store};
use crate::problem::{Problem, Severity};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use weft_api::labels::GATEWAY;
use weft_api::networking::selector::selects;

/// The Gateways of the mesh, the oldest first, and the Secrets that they may name.
#[derive(Clone, Debug, Default)]
pub struct Gateways {
    oldest_first: Vec<Arc<Gateway>>,
    secrets: Store<Credential>,
}

impl Gateways {
    /// The Gateways in `objects`, and what is wrong with them.
    pub(crate) fn build(objects: &Objects) -> (Self, Vec<Problem>) {
        let mut sorted: Vec<_> = objects.gateways.values().collect();
        sorted.sort_by_key(|object| object.age());
        let pods = objects.pods.values();
        let is_edge = |pod: &&Arc<Pod>| !pod.finished && pod.labels.contains_key(GATEWAY);
        let pods: Vec<_> = pods.filter(is_edge).collect();
        let mut problems = Vec::new();
        let mut oldest_first = Vec::new();
        for object in sorted {
            let (gateway, found) = parse(object);
            problems.extend(found);
            problems.extend(unserved(&gateway, &pods, &objects.credentials));
            oldest_first.push(Arc::new(gateway));
        }
        let gateways = Self {
            oldest_first,
            secrets: objects.credentials.clone(),
        };
        (gateways, problems)
    }

    /// Namespace and name of each.
    pub(crate) fn keys(&self) -> BTreeSet<Key> {
        let all = self.oldest_first.iter();
        all.map(|gateway| gateway.key.clone()).collect()
    }

    /// What the proxy in `pod` does, to which `leads` lead.
    pub(crate) fn edge(&self, pod: &Pod, leads: &[Lead]) -> Edge {
        let selecting = |gateway: &&Arc<Gateway>| selects(&gateway.selector, &pod.labels);
        let gateways: Vec<_> = self
            .oldest_first
            .iter()
            .filter(selecting)
            .cloned()
            .collect();
        let mut edge = Edge::default();
        for lead in leads {
            edge.ports.entry(lead.target.port).or_insert(lead.number);
        }
        let namespace = &pod.key.namespace;
        let servers = gateways.iter().flat_map(|gateway| &gateway.servers);
        for tls in servers.filter_map(Server::termination) {
            put(&mut edge.certificates, tls.certificate_secret(), |name| {
                credentials::certificate(&self.secrets, namespace, name).ok()
            });
            put(&mut edge.roots, tls.roots_secret(), |name| {
                credentials::roots(&self.secrets, namespace, name).ok()
            });
        }
        Edge { gateways, ..edge }
    }
}

fn put(
    into: &mut BTreeMap<String, Arc<Credential>>,
    name: Option<&str>,
    find: impl Fn(&str) -> Option<Arc<Credential>>,
) {
    if let Some(name) = name
        && let Some(found) = find(name)
    {
        into.insert(name.to_owned(), found);
    }
}

/// What keeps the proxies in `pods` from serving `gateway`.
fn unserved(gateway: &Gateway, pods: &[&Arc<Pod>], secrets: &Store<Credential>) -> Vec<Problem> {
    let selected = pods
        .iter()
        .filter(|pod| selects(&gateway.selector, &pod.labels));
    let namespaces: BTreeSet<&String> = selected.map(|pod| &pod.key.namespace).collect();
    if namespaces.is_empty() {
        return vec![Problem {
            object: reference(&gateway.key),
            field: "spec.selector".into(),
            reason: "NotFound",
            message: "no pod of a gateway has these labels".into(),
            remedy:
                "use the labels of a gateway of the MeshOperator, such as istio: ingressgateway"
                    .into(),
            severity: Severity::Warning,
        }];
    }
    let places = namespaces.into_iter().flat_map(|namespace| {
        gateway
            .servers
            .iter()
            .map(move |server| (namespace, server))
    });
    let faults = places.flat_map(|(namespace, server)| {
        let faults = server
            .termination()
            .map(|tls| credentials::faults(secrets, namespace, tls));
        let faults = faults.into_iter().flatten();
        faults.map(move |(name, how)| (namespace, server, name, how))
    });
    faults
        .map(|(namespace, server, name, how)| Problem {
            object: reference(&gateway.key),
            field: format!("{}.tls.credentialName", server.field),
            reason: "NotFound",
            message: format!("Secret {namespace}/{name} cannot be used: {how}"),
            remedy: "its server listens once the Secret is right: a type kubernetes.io/tls in the namespace of the gateway's pods"
                .into(),
            severity: Severity::Error,
        })
        .collect()
}

impl Edge {
    /// Namespace and name of each Gateway.
    pub(crate) fn keys(&self) -> BTreeSet<Key> {
        let all = self.gateways.iter();
        all.map(|gateway| gateway.key.clone()).collect()
    }
}
