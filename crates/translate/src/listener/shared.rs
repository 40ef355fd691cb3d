//! Ports on which several services are reached at any address: the host of a request, the server
//! name of a TLS connection or a range of addresses tells them apart.

use super::chain::{chain, sniffed_http, tcp_proxy};
use super::connections::{chains, range};
use super::outbound::unknown;
use super::{hcm, http_inspector, listener, tls_inspector};
use crate::names;
use crate::route::is_http;
use crate::value::{flag, seconds};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use weft_model::View;
use weft_model::protocol::Handling;
use weft_model::service::{Port, Service};
use weft_proto::pb::envoy::config::core::v3::TrafficDirection;
use weft_proto::pb::envoy::config::listener::v3::{FilterChain, FilterChainMatch, Listener};

/// The services that share a port.
#[derive(Default)]
pub(super) struct Shared<'a> {
    /// Whether some are reached by HTTP.
    http: bool,
    /// Those that are reached otherwise, too.
    others: Vec<(&'a Service, &'a Port)>,
}

/// Where they are reached.
pub(super) struct Spot<'a> {
    pub(super) ips: &'a [IpAddr],
    pub(super) port: u16,
    /// The route table of requests.
    pub(super) routes: String,
    /// Whether it is a socket, or stands for what `virtualOutbound` has captured.
    pub(super) listens: bool,
}

impl<'a> Shared<'a> {
    /// Adds `port` of `service` as far as its addresses do not tell it from others.
    pub(super) fn add(&mut self, view: &View, service: &'a Service, port: &'a Port) {
        self.http |= is_http(view, service, port);
        let here = !service.ranges.is_empty() || view.is_without_address(service);
        if port.protocol.handling() != Handling::Http && here {
            self.others.push((service, port));
        }
    }

    /// Adds `port` of `service` whatever its addresses are.
    pub(super) fn add_anywhere(&mut self, service: &'a Service, port: &'a Port) {
        self.http |= port.protocol.handling() != Handling::Tcp;
        if port.protocol.handling() != Handling::Http {
            self.others.push((service, port));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.http && self.others.is_empty()
    }

    /// The listener of all of them.
    pub(super) fn listener(&self, view: &View, spot: &Spot<'_>) -> Listener {
        let name = format!("{}_{}", spot.ips[0], spot.port);
        let http = self
            .http
            .then(|| sniffed_http(hcm::outbound(view, &name, &spot.routes)));
        let mut told_apart = Vec::new();
        let mut rest = None;
        let mut seen = BTreeSet::new();
        for (service, port) in &self.others {
            for mut chain in chains(view, service, port) {
                narrow(&mut chain, service, port);
                match &chain.filter_chain_match {
                    None => rest = rest.or(Some(chain)),
                    // A listener with two chains for the same connections is refused.
                    Some(conditions) if seen.insert(conditions_of(conditions)) => {
                        told_apart.push(chain);
                    }
                    Some(_) => {}
                }
            }
        }
        let by_name = |chain: &FilterChain| {
            let conditions = chain.filter_chain_match.as_ref();
            conditions.is_some_and(|it| !it.server_names.is_empty())
        };
        let tls = told_apart.iter().any(by_name).then(tls_inspector);
        let sniffs = self.http.then(http_inspector);
        let taken = rest.is_some();
        let base = listener(view, name, spot.ips, spot.port);
        Listener {
            bind_to_port: flag(spot.listens),
            traffic_direction: TrafficDirection::Outbound.into(),
            listener_filters: tls.into_iter().chain(sniffs).collect(),
            filter_chains: http.into_iter().chain(told_apart).collect(),
            default_filter_chain: Some(rest.unwrap_or_else(|| self.unknown(view, spot))),
            // Where no server can speak first, a slow client is not taken for a silent one.
            listener_filters_timeout: match taken {
                true => base.listener_filters_timeout,
                false => seconds(0),
            },
            ..base
        }
    }

    fn unknown(&self, view: &View, spot: &Spot<'_>) -> FilterChain {
        let filter = match spot.listens {
            // Nobody knows where the client wanted to go.
            true => tcp_proxy(view, names::BLACK_HOLE),
            false => unknown(view),
        };
        chain("PassthroughFilterChain", filter)
    }
}

/// Leaves to `chain` the connections to `service`, as far as they can be told from others.
fn narrow(chain: &mut FilterChain, service: &Service, port: &Port) {
    let conditions = chain.filter_chain_match.get_or_insert_default();
    if conditions.prefix_ranges.is_empty() {
        conditions.prefix_ranges = service.ranges.iter().map(range).collect();
    }
    let by_name = port.protocol.is_tls() && service.ranges.is_empty();
    if by_name && conditions.server_names.is_empty() {
        conditions.server_names = vec![service.host.to_string()];
    }
    if *conditions == FilterChainMatch::default() {
        chain.filter_chain_match = None;
    }
}

fn conditions_of(of: &FilterChainMatch) -> (Vec<String>, Vec<String>) {
    let ranges = of.prefix_ranges.iter().map(|range| {
        let length = range.prefix_len.as_ref().map_or(0, |length| length.value);
        format!("{}/{length}", range.address_prefix)
    });
    (of.server_names.clone(), ranges.collect())
}

/// The shared ports of a view, by number.
pub(super) fn by_number(view: &View) -> BTreeMap<u16, Shared<'_>> {
    let mut all: BTreeMap<u16, Shared<'_>> = BTreeMap::new();
    for service in view.services.iter() {
        for port in &service.ports {
            all.entry(port.number).or_default().add(view, service, port);
        }
    }
    all.retain(|_, shared| !shared.is_empty());
    all
}

/// The TLS ports at addresses that several services have: the server name tells them apart.
pub(super) fn by_address(view: &View) -> BTreeMap<(Vec<IpAddr>, u16), Shared<'_>> {
    let mut all: BTreeMap<(Vec<IpAddr>, u16), Shared<'_>> = BTreeMap::new();
    for service in view.services.iter() {
        let ips: Vec<IpAddr> = view.addresses(service).into_iter().copied().collect();
        let tls = service.ports.iter().filter(|port| port.protocol.is_tls());
        for port in tls.filter(|_| !ips.is_empty()) {
            let shared = all.entry((ips.clone(), port.number)).or_default();
            shared.add_anywhere(service, port);
        }
    }
    all.retain(|_, shared| shared.others.len() > 1);
    all
}
