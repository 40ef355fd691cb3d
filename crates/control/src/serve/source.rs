//! Who may have xDS, and which proxy they are.

use super::connection::Peer;
use crate::histogram::Histogram;
use crate::publish::{Clients, Ticket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tonic::{Extensions, Status};
use weft_identity::SpiffeId;
use weft_model::{Node, Role};
use weft_proto::pb::envoy::config::core::v3 as core;
use weft_proto::pb::google::protobuf::value::Kind;
use weft_xds::server::{Admitted, Event, Source};

/// Counts of all streams, for metrics.
#[derive(Debug, Default)]
pub struct Counts {
    /// Streams that are open.
    pub connected: AtomicU64,
    /// Responses sent.
    pub pushes: AtomicU64,
    /// Responses in force.
    pub acks: AtomicU64,
    /// Responses refused.
    pub nacks: AtomicU64,
    /// From a change in the cluster to its push.
    pub push: Histogram,
    /// From a push to its acknowledgement.
    pub ack: Histogram,
}

/// The proxies of the mesh, known by their certificates.
#[derive(Debug)]
pub struct AdsSource {
    /// Where admitted proxies are kept.
    pub clients: Arc<Clients>,
    /// What happens on their streams.
    pub counts: Arc<Counts>,
}

impl Source for AdsSource {
    type Peer = SpiffeId;
    type Client = Ticket;

    fn authenticate(&self, extensions: &Extensions) -> Result<SpiffeId, Status> {
        let peer = extensions.get::<Peer>().and_then(|peer| peer.id.clone());
        peer.ok_or_else(|| {
            Status::unauthenticated("xDS needs a client certificate; ask the CA for one first")
        })
    }

    fn admit(&self, peer: SpiffeId, node: &core::Node) -> Result<Admitted<Ticket>, Status> {
        let node = node_of(node, &peer)?;
        if self.clients.contradicts(&node) {
            let Node {
                namespace,
                pod,
                service_account,
                ..
            } = &node;
            return Err(Status::permission_denied(format!(
                "pod {namespace}/{pod} does not run as {service_account}"
            )));
        }
        let (client, worlds) = self.clients.connect(node);
        Ok(Admitted { client, worlds })
    }

    fn report(&self, client: &Ticket, event: Event) {
        let Node { namespace, pod, .. } = &client.node;
        let counts = &self.counts;
        match event {
            Event::Connected(variant) => {
                counts.connected.fetch_add(1, Ordering::Relaxed);
                tracing::info!(%namespace, %pod, ?variant, "proxy connected");
            }
            Event::Pushed { generation, .. } => {
                counts.pushes.fetch_add(1, Ordering::Relaxed);
                client
                    .age(generation)
                    .into_iter()
                    .for_each(|age| counts.push.observe(age));
            }
            Event::Acked { after, .. } => {
                counts.acks.fetch_add(1, Ordering::Relaxed);
                counts.ack.observe(after);
            }
            Event::Nacked {
                type_url, message, ..
            } => {
                counts.nacks.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%namespace, %pod, %type_url, %message, "proxy refused configuration");
            }
            Event::Disconnected => {
                counts.connected.fetch_sub(1, Ordering::Relaxed);
                tracing::info!(%namespace, %pod, "proxy disconnected");
            }
        }
    }
}

/// The node of `peer`, whose id is `<role>~<ip>~<pod>.<namespace>~<domain>`.
fn node_of(said: &core::Node, peer: &SpiffeId) -> Result<Node, Status> {
    let malformed = || {
        Status::invalid_argument(format!(
            "node id {:?} is not of the form sidecar~<pod ip>~<pod>.<namespace>~<domain>, or router~…",
            said.id
        ))
    };
    let parts: Vec<&str> = said.id.split('~').collect();
    let [role, ip, name, _] = parts[..] else {
        return Err(malformed());
    };
    let role = match role {
        "sidecar" => Role::Sidecar,
        "router" => Role::Router,
        _ => return Err(malformed()),
    };
    let (pod, namespace) = name.rsplit_once('.').ok_or_else(malformed)?;
    if namespace != peer.namespace() {
        return Err(Status::permission_denied(format!(
            "node {name:?} is not in namespace {}, which the certificate is for",
            peer.namespace()
        )));
    }
    Ok(Node {
        role,
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
        ips: ip.parse().into_iter().collect(),
        service_account: peer.service_account().to_owned(),
        labels: object(said, "LABELS"),
        metadata: texts(said),
    })
}

fn texts(node: &core::Node) -> std::collections::BTreeMap<String, String> {
    let fields = node.metadata.iter().flat_map(|metadata| &metadata.fields);
    fields
        .filter_map(|(key, value)| match &value.kind {
            Some(Kind::StringValue(text)) => Some((key.clone(), text.clone())),
            _ => None,
        })
        .collect()
}

fn object(node: &core::Node, key: &str) -> std::collections::BTreeMap<String, String> {
    let value = node
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.fields.get(key));
    match value.and_then(|value| value.kind.as_ref()) {
        Some(Kind::StructValue(object)) => texts(&core::Node {
            metadata: Some(object.clone()),
            ..core::Node::default()
        }),
        _ => std::collections::BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str) -> core::Node {
        core::Node {
            id: id.to_owned(),
            ..core::Node::default()
        }
    }

    #[test]
    fn a_node_is_its_certificates_namespace_or_refused() {
        let peer: SpiffeId = "spiffe://cluster.local/ns/shop/sa/cart".parse().unwrap();
        let good = node("sidecar~10.0.0.1~cart-1.shop~shop.svc.cluster.local");
        let known = node_of(&good, &peer).unwrap();
        assert_eq!((&*known.pod, &*known.service_account), ("cart-1", "cart"));
        let edge = node("router~10.0.0.1~edge-1.shop~shop.svc.cluster.local");
        assert_eq!(node_of(&edge, &peer).unwrap().role, Role::Router);
        for bad in [
            "sidecar~10.0.0.1~cart-1.other~other.svc.cluster.local",
            "sidecar~10.0.0.1~cart-1",
            "waypoint~10.0.0.1~cart-1.shop~shop.svc.cluster.local",
            "",
        ] {
            assert!(node_of(&node(bad), &peer).is_err(), "{bad}");
        }
    }
}
