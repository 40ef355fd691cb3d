//! Clusters that every proxy has.

use super::{as_downstream, base, bind_to_uncaptured, set_options, to_original_destination};
use crate::names::{BLACK_HOLE, INBOUND_PASSTHROUGH, PASSTHROUGH};
use crate::value::seconds;
use weft_model::View;
use weft_proto::pb::envoy::config::cluster::v3::{
    Cluster,
    cluster::{ClusterDiscoveryType, DiscoveryType},
};
use weft_proto::pb::envoy::config::core::v3::HttpProtocolOptions as Common;
use weft_proto::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;

/// The black hole and, at a sidecar, the two ways around the mesh's knowledge.
pub(crate) fn fixed(view: &View) -> Vec<Cluster> {
    let black_hole = Cluster {
        circuit_breakers: None,
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Static.into())),
        ..base(BLACK_HOLE)
    };
    if view.edge.is_some() {
        return vec![black_hole];
    }
    let inbound = Cluster {
        upstream_bind_config: bind_to_uncaptured(view.families),
        ..passthrough(INBOUND_PASSTHROUGH)
    };
    vec![black_hole, passthrough(PASSTHROUGH), inbound]
}

fn passthrough(name: &str) -> Cluster {
    let mut cluster = base(name);
    to_original_destination(&mut cluster);
    set_options(
        &mut cluster,
        &HttpProtocolOptions {
            common_http_protocol_options: Some(Common {
                // The other end may be anything: do not keep what it may have forgotten.
                idle_timeout: seconds(300),
                ..Default::default()
            }),
            upstream_protocol_options: Some(as_downstream()),
            ..Default::default()
        },
    );
    cluster
}
