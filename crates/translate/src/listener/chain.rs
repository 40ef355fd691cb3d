//! Filter chains: conditions on a connection, and the filter that takes it.

use super::access_log;
use crate::route;
use crate::value::duration;
use prost::{Message, Name};
use tcp::tcp_proxy::{WeightedCluster, weighted_cluster::ClusterWeight};
use weft_model::routing::{Destination, Weighted};
use weft_model::traffic::{Hash, LoadBalancing, Policy};
use weft_model::{Key, View};
use weft_proto::pack;
use weft_proto::pb::envoy::config::core::v3::TransportSocket;
use weft_proto::pb::envoy::config::listener::v3 as listener;
use weft_proto::pb::envoy::extensions::filters::network::tcp_proxy::v3 as tcp;
use weft_proto::pb::envoy::r#type::v3::{
    HashPolicy,
    hash_policy::{PolicySpecifier, SourceIp},
};
use weft_proto::pb::google::protobuf::UInt32Value;

/// `transport_protocol` of a connection without TLS.
pub(super) const RAW: &str = "raw_buffer";
/// `transport_protocol` of a connection that begins with a ClientHello.
pub(super) const TLS: &str = "tls";
/// What the HTTP inspector calls plaintext HTTP.
pub(super) const HTTP: [&str; 2] = ["http/1.1", "h2c"];

/// A chain without conditions.
pub(crate) fn chain(name: impl Into<String>, terminal: listener::Filter) -> listener::FilterChain {
    listener::FilterChain {
        name: name.into(),
        filters: vec![terminal],
        ..Default::default()
    }
}

/// The conditions of a chain.
pub(super) fn when(
    port: Option<u16>,
    transport: &str,
    alpn: &[impl AsRef<str>],
) -> Option<listener::FilterChainMatch> {
    Some(listener::FilterChainMatch {
        destination_port: port.map(|port| UInt32Value { value: port.into() }),
        transport_protocol: transport.to_owned(),
        application_protocols: alpn.iter().map(|alpn| alpn.as_ref().to_owned()).collect(),
        ..Default::default()
    })
}

/// Plaintext HTTP of undeclared ports.
pub(super) fn sniffed_http(terminal: listener::Filter) -> listener::FilterChain {
    listener::FilterChain {
        filter_chain_match: when(None, RAW, &HTTP),
        ..chain("", terminal)
    }
}

/// `chain` behind TLS.
pub(crate) fn behind(
    transport_socket: TransportSocket,
    chain: listener::FilterChain,
) -> listener::FilterChain {
    listener::FilterChain {
        transport_socket: Some(transport_socket),
        ..chain
    }
}

/// Carries bytes to a cluster.
pub(super) fn tcp_proxy(view: &View, cluster: &str) -> listener::Filter {
    filter("envoy.filters.network.tcp_proxy", &carrier(view, cluster))
}

/// Carries bytes that came to `port` to Services, by weight and as the DestinationRule of the first
/// one wants it. `origin` is the VirtualService that says so.
pub(super) fn tcp_to_all(
    view: &View,
    to: &[Weighted],
    origin: Option<&Key>,
    port: u16,
) -> listener::Filter {
    let cluster = |each: &Weighted| route::cluster(view, &each.destination, port);
    let policy = policy(view, &to[0].destination, port);
    let by_source = matches!(
        policy.balancing,
        Some(LoadBalancing::RingHash(Hash::SourceIp, _) | LoadBalancing::Maglev(Hash::SourceIp, _))
    );
    let source = HashPolicy {
        policy_specifier: Some(PolicySpecifier::SourceIp(SourceIp {})),
    };
    let mut config = tcp::TcpProxy {
        idle_timeout: policy
            .pool
            .and_then(|pool| pool.tcp_idle)
            .and_then(duration),
        hash_policy: by_source.then_some(source).into_iter().collect(),
        ..carrier(view, &cluster(&to[0]))
    };
    if to.len() > 1 {
        let share = |each: &Weighted| ClusterWeight {
            name: cluster(each),
            weight: each.weight,
            ..Default::default()
        };
        let clusters = to.iter().map(share).collect();
        config.stat_prefix = origin.map_or_else(String::new, |Key { namespace, name }| {
            format!("{name}.{namespace}")
        });
        config.cluster_specifier = Some(tcp::tcp_proxy::ClusterSpecifier::WeightedClusters(
            WeightedCluster { clusters },
        ));
    }
    filter("envoy.filters.network.tcp_proxy", &config)
}

/// What the DestinationRules say of `to`.
fn policy(view: &View, to: &Destination, port: u16) -> Policy {
    let Some(rule) = view.traffic.get(&to.host) else {
        return Policy::default();
    };
    let subset = rule.subsets.iter().find(|subset| subset.name == to.subset);
    rule.policy(subset, route::number_of(view, to, port))
}

fn carrier(view: &View, cluster: &str) -> tcp::TcpProxy {
    tcp::TcpProxy {
        stat_prefix: cluster.to_owned(),
        access_log: access_log::of(view),
        cluster_specifier: Some(tcp::tcp_proxy::ClusterSpecifier::Cluster(
            cluster.to_owned(),
        )),
        ..Default::default()
    }
}

/// A network filter.
pub(crate) fn filter<M: Message + Name>(name: &str, config: &M) -> listener::Filter {
    listener::Filter {
        name: name.to_owned(),
        config_type: Some(listener::filter::ConfigType::TypedConfig(pack(config))),
    }
}
