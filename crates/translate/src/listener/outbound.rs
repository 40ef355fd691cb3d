//! What becomes of connections that the pod's application makes.

use super::chain::{chain, sniffed_http, tcp_proxy, tcp_to, when};
use super::{OUTBOUND_PORT, hcm, http_inspector, listener, outbound_at, wildcard};
use crate::cluster::Reached;
use crate::names;
use crate::value::{flag, seconds};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use weft_model::protocol::Handling;
use weft_model::service::{Port, Service};
use weft_model::{OutboundPolicy, View};
use weft_proto::pb::envoy::config::core::v3::TrafficDirection;
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
    let unknown = chain(
        "virtualOutbound-catchall-tcp",
        tcp_proxy(view, unknown(view)),
    );
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
    for number in http_ports(view) {
        add(shared_http(view, number));
    }
    for service in view.services.iter() {
        for port in &service.ports {
            own(view, service, port).into_iter().for_each(&mut add);
        }
    }
    all
}

const NONE: &[&str] = &[];

/// Where connections to destinations that the mesh does not know go.
fn unknown(view: &View) -> &'static str {
    match view.mesh.outbound {
        OutboundPolicy::AllowAny => names::PASSTHROUGH,
        OutboundPolicy::RegistryOnly => names::BLACK_HOLE,
    }
}

fn http_ports(view: &View) -> BTreeSet<u16> {
    let ports = view.services.iter().flat_map(|service| &service.ports);
    let http = ports.filter(|port| port.protocol.handling() == Handling::Http);
    http.map(|port| port.number).collect()
}

/// One listener for all Services with this HTTP port: the request's host decides.
fn shared_http(view: &View, number: u16) -> Listener {
    let ips = wildcard(view.families);
    let name = format!("{}_{number}", ips[0]);
    let http = hcm::outbound(view, &name, &number.to_string());
    Listener {
        filter_chains: vec![sniffed_http(http)],
        default_filter_chain: Some(chain(
            "PassthroughFilterChain",
            tcp_proxy(view, unknown(view)),
        )),
        listener_filters: vec![http_inspector()],
        // HTTP clients speak first, whenever they like to.
        listener_filters_timeout: seconds(0),
        ..outbound_at(view, ips, number)
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
        let reachable = service
            .addresses
            .iter()
            .filter(|ip| view.families.reach(**ip));
        let ips: Vec<IpAddr> = reachable.copied().collect();
        return if ips.is_empty() {
            Vec::new()
        } else {
            Vec::from_iter(at(&ips, port.number))
        };
    }
    // Clients of a headless Service find the pods themselves, and use the pods' own port.
    let pods = port.endpoints.iter().flat_map(|endpoint| {
        let reachable = endpoint
            .addresses
            .iter()
            .filter(|ip| view.families.reach(**ip));
        reachable.map(|ip| (*ip, endpoint.port))
    });
    pods.filter_map(|(ip, number)| at(&[ip], number)).collect()
}

fn bytes(view: &View, service: &Service, port: &Port, listener: Listener) -> Listener {
    Listener {
        filter_chains: vec![chain("", to_service(view, service, port))],
        ..listener
    }
}

fn sniffed(view: &View, service: &Service, port: &Port, listener: Listener) -> Listener {
    let routes = names::route_of(port.number, &service.host);
    let http = hcm::outbound(view, &listener.name, &routes);
    Listener {
        filter_chains: vec![sniffed_http(http)],
        default_filter_chain: Some(chain("", to_service(view, service, port))),
        listener_filters: vec![http_inspector()],
        ..listener
    }
}

fn to_service(view: &View, service: &Service, port: &Port) -> Filter {
    let reached = Reached {
        service,
        port,
        subset: None,
    };
    tcp_to(view, reached)
}
