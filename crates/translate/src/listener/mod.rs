//! LDS: where connections arrive, and what is done with them.

mod access_log;
mod chain;
mod connections;
mod edge;
mod hcm;
mod inbound;
mod outbound;
mod shared;

pub(crate) use chain::{behind, chain, filter};
pub(crate) use connections::one as connection;
pub(crate) use edge::{edge, edge_http, tcp_policies};
pub(crate) use inbound::inbound;
pub(crate) use outbound::{outbound, virtual_outbound};

use crate::value::{address, duration, flag};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use weft_model::View;
use weft_model::view::Families;
use weft_proto::pack;
use weft_proto::pb::envoy::config::core::v3::TrafficDirection;
use weft_proto::pb::envoy::config::listener::v3 as listener;
use weft_proto::pb::envoy::extensions::filters::listener as filters;
use weft_proto::pb::envoy::r#type::v3::Int32Range;

/// Where all captured outbound connections arrive.
const OUTBOUND_PORT: u16 = 15001;
/// Where all captured inbound connections arrive.
const INBOUND_PORT: u16 = 15006;

/// A listener on these addresses, the first of which names its main one.
fn listener(view: &View, name: String, ips: &[IpAddr], port: u16) -> listener::Listener {
    let additional = |ip: &IpAddr| listener::AdditionalAddress {
        address: address(*ip, port),
        ..Default::default()
    };
    listener::Listener {
        name,
        address: address(ips[0], port),
        additional_addresses: ips[1..].iter().map(additional).collect(),
        listener_filters_timeout: duration(view.mesh.detection_timeout),
        // A client that is silent waits for its server to speak first.
        continue_on_listener_filters_timeout: true,
        ..Default::default()
    }
}

/// Every address of these families.
fn wildcard(families: Families) -> &'static [IpAddr] {
    const BOTH: [IpAddr; 2] = [
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    ];
    match families {
        Families::V4 => &BOTH[..1],
        Families::V6 => &BOTH[1..],
        Families::Dual => &BOTH,
    }
}

/// A listener that is only reached through `virtualOutbound`.
fn outbound_at(view: &View, ips: &[IpAddr], port: u16) -> listener::Listener {
    listener::Listener {
        bind_to_port: flag(false),
        traffic_direction: TrafficDirection::Outbound.into(),
        ..listener(view, format!("{}_{port}", ips[0]), ips, port)
    }
}

fn original_dst() -> listener::ListenerFilter {
    let config = pack(&filters::original_dst::v3::OriginalDst {});
    listener_filter("envoy.filters.listener.original_dst", config)
}

fn tls_inspector() -> listener::ListenerFilter {
    let config = pack(&filters::tls_inspector::v3::TlsInspector::default());
    listener_filter("envoy.filters.listener.tls_inspector", config)
}

fn http_inspector() -> listener::ListenerFilter {
    let config = pack(&filters::http_inspector::v3::HttpInspector {});
    listener_filter("envoy.filters.listener.http_inspector", config)
}

/// `filter`, but not on connections to these ports: there its answer is not needed, and waiting
/// for the client's first bytes would hang servers that speak first.
fn except(
    filter: listener::ListenerFilter,
    ports: impl Iterator<Item = u16>,
) -> listener::ListenerFilter {
    use listener::listener_filter_chain_match_predicate::{MatchSet, Rule};
    let range = |port: u16| listener::ListenerFilterChainMatchPredicate {
        rule: Some(Rule::DestinationPortRange(Int32Range {
            start: port.into(),
            end: i32::from(port) + 1,
        })),
    };
    let mut rules: Vec<_> = ports.map(range).collect();
    let disabled = match rules.len() {
        0 | 1 => rules.pop(),
        // A set has at least two rules.
        _ => Some(listener::ListenerFilterChainMatchPredicate {
            rule: Some(Rule::OrMatch(MatchSet { rules })),
        }),
    };
    listener::ListenerFilter {
        filter_disabled: disabled,
        ..filter
    }
}

fn listener_filter(
    name: &str,
    config: weft_proto::pb::google::protobuf::Any,
) -> listener::ListenerFilter {
    listener::ListenerFilter {
        name: name.to_owned(),
        config_type: Some(listener::listener_filter::ConfigType::TypedConfig(config)),
        ..Default::default()
    }
}
