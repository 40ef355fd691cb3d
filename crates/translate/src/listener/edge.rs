//! Listeners of proxies at the edge.

use super::{hcm, listener, tls_inspector, wildcard};
use crate::authorization;
use crate::value::seconds;
use std::net::IpAddr;
use weft_model::View;
use weft_proto::pb::envoy::config::core::v3::TrafficDirection;
use weft_proto::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener};

/// How long a client may take for its ClientHello.
const PATIENCE: u64 = 15;

/// A listener on `port` of one address, or of all of the pod's.
pub(crate) fn edge(
    view: &View,
    at: (Option<IpAddr>, u16),
    filter_chains: Vec<FilterChain>,
    has_tls: bool,
) -> Listener {
    let (bind, port) = at;
    let own = bind.map(|address| [address]);
    let addresses = own.as_ref().map_or(wildcard(view.families), |own| own);
    Listener {
        filter_chains,
        listener_filters: has_tls.then(tls_inspector).into_iter().collect(),
        // Who does not say what they want in time is not served.
        listener_filters_timeout: seconds(PATIENCE),
        continue_on_listener_filters_timeout: false,
        traffic_direction: TrafficDirection::Outbound.into(),
        ..listener(view, name(addresses[0], port), addresses, port)
    }
}

/// Requests that come to such a listener.
pub(crate) fn edge_http(view: &View, at: (Option<IpAddr>, u16), route_table: &str) -> Filter {
    let address = at.0.unwrap_or(wildcard(view.families)[0]);
    hcm::edge(view, &name(address, at.1), route_table)
}

/// What connections must pass before they are carried on.
pub(crate) fn tcp_policies(view: &View) -> Vec<Filter> {
    authorization::tcp(view)
}

fn name(address: IpAddr, port: u16) -> String {
    format!("{address}_{port}")
}
