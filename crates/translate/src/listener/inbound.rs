//! What becomes of connections to the pod's application.

use super::chain::{HTTP, RAW, TLS, behind, chain, tcp_proxy, when};
use super::{INBOUND_PORT, hcm, http_inspector, listener, original_dst, tls_inspector, wildcard};
use crate::tls::{Carries, mesh_alpn, server};
use crate::{istio, names, route};
use weft_model::inbound::InboundPort;
use weft_model::protocol::Handling;
use weft_model::{MtlsMode, View};
use weft_proto::pb::envoy::config::core::v3::TrafficDirection;
use weft_proto::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener};

/// Where captured connections to the pod arrive.
pub(crate) fn inbound(view: &View) -> Listener {
    let loops = FilterChain {
        filter_chain_match: when(Some(INBOUND_PORT), "", &[""; 0]),
        ..chain(
            "virtualInbound-blackhole",
            tcp_proxy(view, names::BLACK_HOLE),
        )
    };
    let mut filter_chains = vec![loops];
    filter_chains.extend(chains(view, &Entrance::unknown(view), view.inbound.mtls));
    for (port, mode) in &view.inbound.overrides {
        let entrance = Entrance {
            port: Some(*port),
            ..Entrance::unknown(view)
        };
        filter_chains.extend(chains(view, &entrance, *mode));
    }
    for port in &view.inbound.ports {
        filter_chains.extend(chains(view, &Entrance::of(view, port), port.mtls));
    }
    Listener {
        listener_filters: vec![original_dst(), tls_inspector(), http_inspector()],
        filter_chains,
        traffic_direction: TrafficDirection::Inbound.into(),
        ..listener(
            view,
            "virtualInbound".to_owned(),
            wildcard(view.families),
            INBOUND_PORT,
        )
    }
}

/// A port, or all that have no entrance of their own, with what is behind it.
struct Entrance {
    port: Option<u16>,
    name: String,
    handling: Handling,
    http: Filter,
    tcp: Filter,
}

impl Entrance {
    fn of(view: &View, port: &InboundPort) -> Self {
        let name = format!("{}_{}", wildcard(view.families)[0], port.number);
        Self {
            port: Some(port.number),
            http: hcm::inbound(view, &format!("inbound_{name}"), route::inline(port)),
            tcp: tcp_proxy(view, &names::inbound(port.number)),
            handling: port.protocol.handling(),
            name,
        }
    }

    fn unknown(view: &View) -> Self {
        let routes = route::inline_passthrough();
        Self {
            port: None,
            name: "virtualInbound".to_owned(),
            handling: Handling::Sniff,
            http: hcm::inbound(view, names::INBOUND_PASSTHROUGH, routes),
            tcp: tcp_proxy(view, names::INBOUND_PASSTHROUGH),
        }
    }

    fn chain(&self, transport: &str, alpn: &[impl AsRef<str>], carries: Carries) -> FilterChain {
        let terminal = match carries {
            Carries::Http => self.http.clone(),
            Carries::Tcp => self.tcp.clone(),
        };
        FilterChain {
            filter_chain_match: when(self.port, transport, alpn),
            ..chain(self.name.clone(), terminal)
        }
    }
}

/// The chains of an entrance: which bytes it takes, and what it takes them for.
///
/// Source: Istio `pilot/pkg/networking/core/listener_inbound.go`.
fn chains(view: &View, entrance: &Entrance, mode: MtlsMode) -> Vec<FilterChain> {
    let none: &[&str] = &[];
    let mut all = match mode {
        MtlsMode::Strict => mutual(view, entrance, none),
        MtlsMode::Permissive => mutual(view, entrance, &mesh_alpn()),
        MtlsMode::Disable => Vec::new(),
    };
    if mode == MtlsMode::Strict {
        return all;
    }
    let carries = match entrance.handling {
        Handling::Http => Carries::Http,
        Handling::Tcp | Handling::Sniff => Carries::Tcp,
    };
    if entrance.handling == Handling::Sniff {
        all.push(entrance.chain(RAW, &HTTP, Carries::Http));
    }
    all.push(entrance.chain(RAW, none, carries));
    if carries == Carries::Tcp {
        // TLS of the application's own.
        all.push(entrance.chain(TLS, none, Carries::Tcp));
    }
    all
}

/// Mutual TLS on connections that show one of `alpn`; on every TLS connection if it is empty.
fn mutual(view: &View, entrance: &Entrance, alpn: &[impl AsRef<str>]) -> Vec<FilterChain> {
    let tls = |carries| server(&view.mesh, carries);
    match entrance.handling {
        Handling::Http => {
            vec![behind(
                tls(Carries::Http),
                entrance.chain(TLS, alpn, Carries::Http),
            )]
        }
        Handling::Tcp => vec![behind(
            tls(Carries::Tcp),
            entrance.chain(TLS, alpn, Carries::Tcp),
        )],
        Handling::Sniff => {
            let http = entrance.chain(TLS, &istio::MESH_HTTP, Carries::Http);
            let rest: Vec<&str> = alpn
                .iter()
                .map(AsRef::as_ref)
                .filter(|alpn| !istio::MESH_HTTP.contains(alpn))
                .collect();
            let bytes = entrance.chain(TLS, &rest, Carries::Tcp);
            vec![
                behind(tls(Carries::Http), http),
                behind(tls(Carries::Tcp), bytes),
            ]
        }
    }
}
