//! What becomes of connections to the pod's application.

use super::chain::{HTTP, RAW, TLS, behind, chain, tcp_proxy, when};
use super::{
    INBOUND_PORT, except, hcm, http_inspector, listener, original_dst, tls_inspector, wildcard,
};
use crate::tls::{Carries, mesh_alpn, server};
use crate::value::seconds;
use crate::{authorization, istio, names, route};
use weft_model::inbound::InboundPort;
use weft_model::protocol::Handling;
use weft_model::{MtlsMode, View};
use weft_proto::pb::envoy::config::core::v3::TrafficDirection;
use weft_proto::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener, ListenerFilter};

/// Where captured connections to the pod arrive.
pub(crate) fn inbound(view: &View) -> Listener {
    let loops = FilterChain {
        filter_chain_match: when(Some(INBOUND_PORT), "", &[""; 0]),
        ..chain(
            "virtualInbound-blackhole",
            tcp_proxy(view, names::BLACK_HOLE),
        )
    };
    let entrances = entrances(view);
    let chains = entrances.iter().flat_map(|entrance| chains(view, entrance));
    let strict = entrances.iter().all(|each| each.mtls == MtlsMode::Strict);
    let listener = listener(
        view,
        "virtualInbound".to_owned(),
        wildcard(view.families),
        INBOUND_PORT,
    );
    Listener {
        listener_filters: inspectors(&entrances),
        // Where every client speaks first, a slow one is not taken for another.
        listener_filters_timeout: match strict {
            true => seconds(0),
            false => listener.listener_filters_timeout,
        },
        filter_chains: std::iter::once(loops).chain(chains).collect(),
        traffic_direction: TrafficDirection::Inbound.into(),
        ..listener
    }
}

fn entrances(view: &View) -> Vec<Entrance> {
    let unknown = Entrance::unknown(view);
    let overrides = view.inbound.overrides.iter();
    let overrides = overrides.map(|(port, mtls)| Entrance {
        port: Some(*port),
        mtls: *mtls,
        ..unknown.clone()
    });
    let services = view.inbound.ports.iter();
    let services = services.map(|port| Entrance::of(view, port));
    let known: Vec<_> = overrides.chain(services).collect();
    std::iter::once(unknown).chain(known).collect()
}

/// Only where what they find is needed.
fn inspectors(entrances: &[Entrance]) -> Vec<ListenerFilter> {
    let filter = |filter: ListenerFilter, needs: fn(&Entrance) -> bool| {
        let needed = entrances.iter().any(needs);
        let others = entrances.iter().filter(|each| !needs(each));
        let others = others.filter_map(|each| each.port);
        needed.then(|| except(filter, others.chain([INBOUND_PORT])))
    };
    let tls = filter(tls_inspector(), |each| each.mtls != MtlsMode::Disable);
    let http = filter(http_inspector(), |each| {
        each.handling == Handling::Sniff && each.mtls != MtlsMode::Strict
    });
    [Some(original_dst()), tls, http]
        .into_iter()
        .flatten()
        .collect()
}

/// A port, or all that have no entrance of their own, with what is behind it.
#[derive(Clone)]
struct Entrance {
    port: Option<u16>,
    mtls: MtlsMode,
    name: String,
    handling: Handling,
    http: Filter,
    /// Policies, then the carrier.
    tcp: Vec<Filter>,
}

impl Entrance {
    fn of(view: &View, port: &InboundPort) -> Self {
        let name = format!("{}_{}", wildcard(view.families)[0], port.number);
        Self {
            port: Some(port.number),
            mtls: port.mtls,
            http: hcm::inbound(view, &format!("inbound_{name}"), route::inline(port)),
            tcp: bytes(view, &names::inbound(port.number)),
            handling: port.protocol.handling(),
            name,
        }
    }

    fn unknown(view: &View) -> Self {
        let routes = route::inline_passthrough();
        Self {
            port: None,
            mtls: view.inbound.mtls,
            name: "virtualInbound".to_owned(),
            handling: Handling::Sniff,
            http: hcm::inbound(view, names::INBOUND_PASSTHROUGH, routes),
            tcp: bytes(view, names::INBOUND_PASSTHROUGH),
        }
    }

    fn chain(&self, transport: &str, alpn: &[impl AsRef<str>], carries: Carries) -> FilterChain {
        let filters = match carries {
            Carries::Http => vec![self.http.clone()],
            Carries::Tcp => self.tcp.clone(),
        };
        FilterChain {
            name: self.name.clone(),
            filter_chain_match: when(self.port, transport, alpn),
            filters,
            ..Default::default()
        }
    }
}

/// Carries bytes to a cluster if the policies let it.
fn bytes(view: &View, cluster: &str) -> Vec<Filter> {
    let mut filters = authorization::tcp(view);
    filters.push(tcp_proxy(view, cluster));
    filters
}

/// The chains of an entrance: which bytes it takes, and what it takes them for.
///
/// Source: Istio `pilot/pkg/networking/core/listener_inbound.go`.
fn chains(view: &View, entrance: &Entrance) -> Vec<FilterChain> {
    let mode = entrance.mtls;
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
    // Where mTLS is off nobody looks for TLS: it is bytes as well.
    if carries == Carries::Tcp && mode == MtlsMode::Permissive {
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
