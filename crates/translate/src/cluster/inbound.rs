//! Clusters that lead to the pod's own application.

use super::{base, bind_to_uncaptured, policy, services, to_original_destination};
use crate::value::seconds;
use crate::{endpoints, names};
use std::net::SocketAddr;
use weft_model::inbound::InboundPort;
use weft_model::traffic::Policy;
use weft_model::view::Families;
use weft_proto::pb::envoy::config::cluster::v3::{
    Cluster,
    cluster::{ClusterDiscoveryType, DiscoveryType},
};
use weft_proto::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;

/// Envoy forgets an original destination that was not used for this long; ours never changes.
const NEVER: u64 = 9_223_372_035;

/// The cluster of a port of the pod.
pub(crate) fn inbound(port: &InboundPort, families: Families) -> Cluster {
    let targets = port.services.iter();
    let mut cluster = Cluster {
        metadata: services(targets.map(|target| (&target.key, &*target.host)), false),
        ..base(&names::inbound(port.number))
    };
    match port.endpoint {
        Some(at) => to_endpoint(&mut cluster, at, families),
        None => {
            cluster.cleanup_interval = seconds(NEVER);
            cluster.upstream_bind_config = bind_to_uncaptured(families);
            to_original_destination(&mut cluster);
        }
    }
    let pool = port.pool.clone();
    let policy = Policy {
        pool,
        ..Policy::default()
    };
    policy::apply(&mut cluster, &policy, port.protocol);
    cluster
}

/// Where the application listens, if not at the port that was called.
fn to_endpoint(cluster: &mut Cluster, at: SocketAddr, families: Families) {
    cluster.cluster_discovery_type = Some(ClusterDiscoveryType::Type(DiscoveryType::Static.into()));
    cluster.load_assignment = Some(ClusterLoadAssignment {
        cluster_name: cluster.name.clone(),
        endpoints: vec![endpoints::fixed(at)],
        ..Default::default()
    });
    if !at.ip().is_loopback() {
        cluster.upstream_bind_config = bind_to_uncaptured(families);
    }
}
