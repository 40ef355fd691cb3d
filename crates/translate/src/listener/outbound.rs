//! What becomes of connections that the pod's application makes.

use super::chain::{chain, sniffed_http, tcp_proxy, when};
use super::shared::{self, Shared, Spot};
use super::{
    OUTBOUND_PORT, connections, hcm, http_inspector, listener, outbound_at, tls_inspector, wildcard,
};
use crate::value::flag;
use crate::{names, route};
use std::collections::BTreeMap;
use std::net::IpAddr;
use weft_model::View;
use weft_model::protocol::Handling;
use weft_model::service::{Port, Service};
use weft_model::sidecar::Bound;
use weft_model::view::Unknown;
use weft_proto::pb::envoy::config::core::v3::{CidrRange, TrafficDirection};
use weft_proto::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener};

/// Where captured connections arrive; what no other listener knows leaves unchanged, or ends.
pub(crate) fn virtual_outbound(view: &View) -> Listener {
    // A connection to the proxy's own port would come back for ever.
    let loops = FilterChain {
        filter_chain_match: when(Some(OUTBOUND_PORT), "", NONE),
        ..chain(
            "virtualOutbound-blackhole",
            tcp_proxy(view, names::BLACK_HOLE),
        )
    };
    let name = "virtualOutbound".to_owned();
    let unknown = chain("virtualOutbound-catchall-tcp", unknown(view));
    Listener {
        filter_chains: vec![loops, unknown],
        use_original_dst: flag(true),
        traffic_direction: TrafficDirection::Outbound.into(),
        ..listener(view, name, wildcard(view.families), OUTBOUND_PORT)
    }
}

/// The listeners of all Services, by name; the first of a name stays.
pub(crate) fn outbound(view: &View) -> BTreeMap<String, Listener> {
    let mut all = BTreeMap::new();
    let mut add = |listener: Listener| {
        all.entry(listener.name.clone()).or_insert(listener);
    };
    for (port, shared) in shared::by_number(view) {
        let spot = Spot {
            ips: wildcard(view.families),
            port,
            routes: port.to_string(),
            listens: false,
        };
        add(shared.listener(view, &spot));
    }
    for ((ips, port), shared) in shared::by_address(view) {
        let spot = Spot {
            ips: &ips,
            port,
            routes: String::new(),
            listens: false,
        };
        add(shared.listener(view, &spot));
    }
    for bound in view.bound.iter() {
        add(at_place(view, bound));
    }
    for service in view.services.iter() {
        for port in &service.ports {
            own(view, service, port).into_iter().for_each(&mut add);
        }
    }
    all
}

/// The port that a Sidecar has put at an address of its choice.
fn at_place(view: &View, bound: &Bound) -> Listener {
    let mut shared = Shared::default();
    for service in &bound.services {
        for port in &service.ports {
            shared.add_anywhere(service, port);
        }
    }
    let spot = Spot {
        ips: &[bound.place],
        port: bound.number,
        routes: names::bound(bound),
        listens: bound.listens,
    };
    shared.listener(view, &spot)
}

const NONE: &[&str] = &[];

/// Carries connections to destinations that the mesh does not know.
pub(super) fn unknown(view: &View) -> Filter {
    match &view.unknown {
        Unknown::Pass => tcp_proxy(view, names::PASSTHROUGH),
        Unknown::Refuse => tcp_proxy(view, names::BLACK_HOLE),
        Unknown::Through(to) => tcp_proxy(view, &route::cluster(view, to, 0)),
    }
}

/// The listeners of one port that only serve this Service.
fn own(view: &View, service: &Service, port: &Port) -> Vec<Listener> {
    let at = |ips: &[IpAddr], number: u16| match port.protocol.handling() {
        Handling::Http => None,
        Handling::Tcp => Some(bytes(view, service, port, outbound_at(view, ips, number))),
        Handling::Sniff => Some(sniffed(view, service, port, outbound_at(view, ips, number))),
    };
    if !service.is_headless() {
        let ips: Vec<IpAddr> = view.addresses(service).into_iter().copied().collect();
        return if ips.is_empty() {
            Vec::new()
        } else {
            Vec::from_iter(at(&ips, port.number))
        };
    }
    // Clients of a headless Service find the pods themselves, and use the pods' own port.
    let pods = port.endpoints.iter().flat_map(|endpoint| {
        let reachable = endpoint
            .addresses()
            .iter()
            .filter(|ip| view.families.reach(**ip));
        reachable.map(|ip| (*ip, endpoint.port))
    });
    pods.filter_map(|(ip, number)| at(&[ip], number)).collect()
}

fn bytes(view: &View, service: &Service, port: &Port, listener: Listener) -> Listener {
    let filter_chains = connections::chains(view, service, port);
    let by_name = |chain: &FilterChain| {
        let conditions = chain.filter_chain_match.as_ref();
        conditions.is_some_and(|it| !it.server_names.is_empty())
    };
    Listener {
        listener_filters: filter_chains
            .iter()
            .any(by_name)
            .then(tls_inspector)
            .into_iter()
            .collect(),
        filter_chains,
        ..listener
    }
}

fn sniffed(view: &View, service: &Service, port: &Port, listener: Listener) -> Listener {
    let routes = names::route_of(port.number, &service.host);
    let http = hcm::outbound(view, &listener.name, &routes);
    let (some, all): (Vec<_>, Vec<_>) = connections::chains(view, service, port)
        .into_iter()
        .partition(|chain| chain.filter_chain_match.is_some());
    // Addresses are looked at before protocols: where they have a chain, HTTP needs its own there.
    let beside = some.iter().map(|chain| {
        let addresses = chain.filter_chain_match.as_ref();
        let addresses = addresses.map(|it| it.prefix_ranges.clone());
        at(sniffed_http(http.clone()), addresses.unwrap_or_default())
    });
    let https: Vec<_> = std::iter::once(sniffed_http(http.clone()))
        .chain(beside)
        .collect();
    Listener {
        filter_chains: https.into_iter().chain(some).collect(),
        default_filter_chain: all.into_iter().next(),
        listener_filters: vec![http_inspector()],
        ..listener
    }
}

/// `chain` for these addresses.
fn at(mut chain: FilterChain, addresses: Vec<CidrRange>) -> FilterChain {
    if let Some(conditions) = &mut chain.filter_chain_match {
        conditions.prefix_ranges = addresses;
    }
    chain
}
