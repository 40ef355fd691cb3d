//! Istio's own filters, as configurations that a stock Envoy passes over.

use weft_model::view::Proxy;
use weft_proto::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter::ConfigType,
};
use weft_proto::typed_struct::{TypedStruct, list, nested, object, string};

use weft_proto::pb::google::protobuf::Struct;

/// ALPN of TCP connections between mesh proxies that tell each other who they are.
pub(crate) const PEER_EXCHANGE: &str = "istio-peer-exchange";
/// ALPN of every mesh connection.
pub(crate) const MESH: &str = "istio";
/// ALPN of mesh connections that carry HTTP, by version.
pub(crate) const MESH_HTTP: [&str; 3] = ["istio-http/1.0", "istio-http/1.1", "istio-h2"];

/// ALPN that a client offers to mesh endpoints.
///
/// Our proxy, as Istio's, chooses for each connection what it carries. A stock Envoy offers what is
/// written here, and must not promise the exchange of metadata.
pub(crate) fn client_alpn(proxy: Proxy, http: bool, http2: bool) -> Vec<String> {
    let offered: &[&str] = match (proxy, http, http2) {
        (Proxy::Weft, _, false) => &[PEER_EXCHANGE, MESH],
        (Proxy::Weft, _, true) => &[PEER_EXCHANGE, MESH, "h2"],
        (Proxy::Envoy, true, false) => &["istio-http/1.1", MESH, "http/1.1"],
        (Proxy::Envoy, _, true) => &["istio-h2", MESH, "h2"],
        (Proxy::Envoy, false, false) => &[MESH],
    };
    offered.iter().map(|alpn| (*alpn).to_owned()).collect()
}

/// Tells the peer who this workload is, and learns who the peer is, in headers.
pub(crate) fn metadata_exchange(inbound: bool) -> HttpFilter {
    let headers = || list([nested(object([("istio_headers", nested(object([])))]))]);
    let (discovery, propagation) = match inbound {
        true => ("downstream_discovery", "downstream_propagation"),
        false => ("upstream_discovery", "upstream_propagation"),
    };
    optional(
        "istio.metadata_exchange",
        "type.googleapis.com/io.istio.http.peer_metadata.Config",
        object([(discovery, headers()), (propagation, headers())]),
    )
}

/// Chooses the ALPN towards mesh peers by the version of the request.
pub(crate) fn alpn() -> HttpFilter {
    let protocol = |name: Option<&str>, offered: [&str; 3]| {
        let offered = ("alpn_override", list(offered.map(string)));
        let name = name.map(|name| ("upstream_protocol", string(name)));
        nested(object(name.into_iter().chain([offered])))
    };
    let overrides = list([
        protocol(None, ["istio-http/1.0", MESH, "http/1.0"]),
        protocol(Some("HTTP11"), ["istio-http/1.1", MESH, "http/1.1"]),
        protocol(Some("HTTP2"), ["istio-h2", MESH, "h2"]),
    ]);
    optional(
        "istio.alpn",
        "type.googleapis.com/istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig",
        object([("alpn_override", overrides)]),
    )
}

/// Counts requests in Istio's standard metrics.
pub(crate) fn stats() -> HttpFilter {
    optional(
        "istio.stats",
        "type.googleapis.com/stats.PluginConfig",
        object([]),
    )
}

fn optional(name: &str, type_url: &str, value: Struct) -> HttpFilter {
    HttpFilter {
        name: name.to_owned(),
        is_optional: true,
        config_type: Some(ConfigType::TypedConfig(TypedStruct::any(type_url, value))),
        ..Default::default()
    }
}
