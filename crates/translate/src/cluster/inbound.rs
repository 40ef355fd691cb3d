//! Clusters that lead to the pod's own application.

use super::{base, bind_to_uncaptured, services, speak, to_original_destination};
use crate::names;
use crate::value::seconds;
use weft_model::inbound::InboundPort;
use weft_model::view::Families;
use weft_proto::pb::envoy::config::cluster::v3::Cluster;

/// Envoy forgets an original destination that was not used for this long; ours never changes.
const NEVER: u64 = 9_223_372_035;

/// The cluster of a port of the pod.
pub(crate) fn inbound(port: &InboundPort, families: Families) -> Cluster {
    let targets = port.services.iter();
    let mut cluster = Cluster {
        cleanup_interval: seconds(NEVER),
        upstream_bind_config: bind_to_uncaptured(families),
        metadata: services(targets.map(|target| (&target.key, &*target.host))),
        ..base(&names::inbound(port.number))
    };
    to_original_destination(&mut cluster);
    speak(&mut cluster, port.protocol);
    cluster
}
