//! CDS: where traffic can go.

mod fixed;
mod inbound;
mod outbound;
mod policy;

pub(crate) use fixed::fixed;
pub(crate) use inbound::inbound;
pub(crate) use outbound::{Reached, outbound};

use crate::value::{istio_metadata, number, seconds, socket_address};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use weft_model::view::Families;
use weft_model::{Key, Protocol};
use weft_proto::pack;
use weft_proto::pb::envoy::config::cluster::v3 as cluster;
use weft_proto::pb::envoy::config::core::v3 as core;
use weft_proto::pb::envoy::extensions::upstreams::http::v3 as upstreams;
use weft_proto::typed_struct::{boolean, list, nested, object, string};

/// What all our clusters have in common: Istio's connect timeout and no limits.
fn base(name: &str) -> cluster::Cluster {
    cluster::Cluster {
        name: name.to_owned(),
        // Istio's statistics cut names at the semicolon.
        alt_stat_name: format!("{name};"),
        connect_timeout: seconds(10),
        circuit_breakers: Some(unlimited()),
        ..Default::default()
    }
}

fn unlimited() -> cluster::CircuitBreakers {
    let thresholds = cluster::circuit_breakers::Thresholds {
        max_connections: number(u32::MAX),
        max_pending_requests: number(u32::MAX),
        max_requests: number(u32::MAX),
        max_retries: number(u32::MAX),
        track_remaining: true,
        ..Default::default()
    };
    cluster::CircuitBreakers {
        thresholds: vec![thresholds],
        ..Default::default()
    }
}

/// Makes `cluster` connect to wherever the client wanted to go.
fn to_original_destination(cluster: &mut cluster::Cluster) {
    use cluster::cluster::{ClusterDiscoveryType, DiscoveryType, LbPolicy};
    cluster.cluster_discovery_type = Some(ClusterDiscoveryType::Type(
        DiscoveryType::OriginalDst.into(),
    ));
    cluster.lb_policy = LbPolicy::ClusterProvided.into();
}

/// The Services behind a cluster, from which metrics take their labels, and whether it is outside.
fn services<'a>(
    services: impl Iterator<Item = (&'a Key, &'a str)>,
    external: bool,
) -> Option<core::Metadata> {
    let service = |(key, host): (&Key, &str)| {
        nested(object([
            ("host", string(host)),
            ("name", string(&*key.name)),
            ("namespace", string(&*key.namespace)),
        ]))
    };
    let services = list(services.map(service));
    let outside = external.then(|| ("external", boolean(true)));
    let fields = outside.into_iter().chain([("services", services)]);
    Some(istio_metadata(object(fields)))
}

/// Connects from an address that `weft-proxy init` does not capture.
fn bind_to_uncaptured(families: Families) -> Option<core::BindConfig> {
    let v4 = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 6));
    let v6 = IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6));
    let (first, second) = match families {
        Families::V4 => (v4, None),
        Families::V6 => (v6, None),
        Families::Dual => (v4, Some(v6)),
    };
    let extra = |ip| core::ExtraSourceAddress {
        address: Some(socket_address(ip, 0)),
        ..Default::default()
    };
    Some(core::BindConfig {
        source_address: Some(socket_address(first, 0)),
        extra_source_addresses: second.into_iter().map(extra).collect(),
        ..Default::default()
    })
}

/// Which HTTP the upstream speaks; HTTP/1.1 needs no word.
fn http_version(
    protocol: Protocol,
) -> Option<upstreams::http_protocol_options::UpstreamProtocolOptions> {
    use upstreams::http_protocol_options::explicit_http_config::ProtocolConfig;
    match protocol {
        Protocol::Http2 | Protocol::Grpc => Some(explicit(ProtocolConfig::Http2ProtocolOptions(
            Default::default(),
        ))),
        Protocol::Auto => Some(as_downstream()),
        Protocol::Http | Protocol::GrpcWeb => None,
        Protocol::Https | Protocol::Tls | Protocol::Tcp | Protocol::Udp => None,
    }
}

fn http1() -> upstreams::http_protocol_options::UpstreamProtocolOptions {
    use upstreams::http_protocol_options::explicit_http_config::ProtocolConfig;
    explicit(ProtocolConfig::HttpProtocolOptions(Default::default()))
}

fn explicit(
    protocol: upstreams::http_protocol_options::explicit_http_config::ProtocolConfig,
) -> upstreams::http_protocol_options::UpstreamProtocolOptions {
    use upstreams::http_protocol_options::{ExplicitHttpConfig, UpstreamProtocolOptions};
    UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
        protocol_config: Some(protocol),
    })
}

fn as_downstream() -> upstreams::http_protocol_options::UpstreamProtocolOptions {
    use upstreams::http_protocol_options::{UpstreamProtocolOptions, UseDownstreamHttpConfig};
    UpstreamProtocolOptions::UseDownstreamProtocolConfig(UseDownstreamHttpConfig {
        http_protocol_options: Some(Default::default()),
        http2_protocol_options: Some(Default::default()),
        ..Default::default()
    })
}

fn set_options(cluster: &mut cluster::Cluster, options: &upstreams::HttpProtocolOptions) {
    const NAME: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let options = [(NAME.to_owned(), pack(options))];
    cluster.typed_extension_protocol_options = options.into();
}
