//! Connections to a Service, as the `tls` and `tcp` routes of its VirtualService want them.

use super::chain::{chain, tcp_to_all};
use crate::route;
use std::collections::BTreeSet;
use weft_model::routing::{
    ConnectionMatch, ConnectionRoute, Destination, VirtualService, Weighted,
};
use weft_model::service::{Port, Service};
use weft_model::{Key, View};
use weft_proto::pb::envoy::config::core::v3::CidrRange;
use weft_proto::pb::envoy::config::listener::v3::{FilterChain, FilterChainMatch};

/// What the connections to a port of a Service may become.
///
/// Source: Istio `pilot/pkg/networking/core/listener.go` and `tls.go`: TLS ports obey `tls` routes,
/// others `tcp` routes; what no route is for goes to the Service, but for a TLS port with routes.
pub(super) fn chains(view: &View, service: &Service, port: &Port) -> Vec<FilterChain> {
    let here =
        |routes: &[ConnectionRoute]| routes.iter().any(|route| leads_from(route, port.number));
    let tls = port.protocol.is_tls();
    let own = route::best(view, &service.host, |own| here(routes(own, tls)));
    let whole = Weighted {
        destination: Destination {
            host: service.host.clone(),
            subset: String::new(),
            port: Some(port.number),
        },
        weight: 1,
        headers: Default::default(),
    };
    let default = || chain("", tcp_to_all(view, &[whole], None, port.number));
    let Some(own) = own else {
        return vec![default()];
    };
    let mut seen = Seen::default();
    let mut chains = of_routes(view, own, routes(own, tls), (port.number, &mut seen));
    if !tls && seen.is_new(&ConnectionMatch::default()) {
        chains.push(default());
    }
    chains
}

fn routes(of: &VirtualService, tls: bool) -> &[ConnectionRoute] {
    match tls {
        true => &of.tls,
        false => &of.tcp,
    }
}

/// Whether `route` is for connections to `port`.
pub(super) fn leads_from(route: &ConnectionRoute, port: u16) -> bool {
    let here = |each: &ConnectionMatch| each.port.is_none_or(|number| number == port);
    route.matches.is_empty() || route.matches.iter().any(here)
}

/// The chains of `routes` for connections to `port`; of equal conditions the first counts.
pub(super) fn of_routes(
    view: &View,
    own: &VirtualService,
    routes: &[ConnectionRoute],
    (port, seen): (u16, &mut Seen),
) -> Vec<FilterChain> {
    let everything = [ConnectionMatch::default()];
    let mut chains = Vec::new();
    for route in routes {
        let matches = match route.matches.as_slice() {
            [] => &everything,
            some => some,
        };
        let here = matches
            .iter()
            .filter(|each| each.port.is_none_or(|number| number == port));
        for each in here.filter(|each| seen.is_new(each)) {
            chains.push(one(view, &own.key, (each, route), port));
        }
    }
    chains
}

/// Conditions that have a chain already; a listener with two chains for one is refused.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeSet<(Vec<String>, Vec<String>)>);

impl Seen {
    /// Notes the conditions of `each`; false if they were there.
    pub(super) fn is_new(&mut self, each: &ConnectionMatch) -> bool {
        let names = each.names.iter().map(ToString::to_string).collect();
        let subnets = each.subnets.iter().map(ToString::to_string).collect();
        self.0.insert((names, subnets))
    }
}

/// The chain of a route for what matches `each` of its conditions.
pub(crate) fn one(
    view: &View,
    key: &Key,
    (each, route): (&ConnectionMatch, &ConnectionRoute),
    port: u16,
) -> FilterChain {
    let names = each.names.iter().map(ToString::to_string);
    let conditions = FilterChainMatch {
        server_names: names.filter(|name| name != "*").collect(),
        prefix_ranges: each.subnets.iter().map(range).collect(),
        ..Default::default()
    };
    let empty = conditions == FilterChainMatch::default();
    FilterChain {
        filter_chain_match: (!empty).then_some(conditions),
        metadata: Some(route::origin(key)),
        ..chain("", tcp_to_all(view, &route.destinations, Some(key), port))
    }
}

/// A range of addresses as Envoy writes it.
pub(super) fn range(net: &ipnet::IpNet) -> CidrRange {
    CidrRange {
        address_prefix: net.addr().to_string(),
        prefix_len: crate::value::number(net.prefix_len().into()),
    }
}
