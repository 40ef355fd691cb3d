//! Listeners and their filter chains. Source: Envoy `config.listener.v3`.

use super::{AccessLog, HttpFilter, Rbac, RouteTable, TlsIdentity, TlsServer};
use ipnet::IpNet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A place where connections arrive. Source: Envoy `Listener`.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// Unique name, such as `virtualOutbound` or `10.96.3.4_80`.
    pub name: Arc<str>,
    /// Address to bind, or to match against the original destination when `bind` is false.
    pub address: SocketAddr,
    /// Envoy `additional_addresses`: further addresses (the IPv6 twin of a wildcard).
    pub additional_addresses: Vec<SocketAddr>,
    /// Envoy `bind_to_port`, default true.
    pub bind: bool,
    /// Hand a redirected connection to the listener that matches its original destination.
    pub use_original_dst: bool,
    /// Recover the original destination (listener filter `envoy.filters.listener.original_dst`).
    pub original_dst: bool,
    /// Which way traffic flows; decides the `reporter` label.
    pub direction: Direction,
    /// Peek for a ClientHello (`tls_inspector`).
    pub tls_inspector: bool,
    /// Peek for HTTP (`http_inspector`).
    pub http_inspector: bool,
    /// How long detection may wait for the client's first bytes before it decides without them;
    /// zero waits for ever.
    pub detect_timeout: Duration,
    /// Decide without bytes after `detect_timeout` instead of closing.
    pub continue_on_timeout: bool,
    /// Filter chains, matched by specificity as Envoy does.
    pub filter_chains: Vec<Arc<FilterChain>>,
    /// Used when no chain matches; else the connection is closed.
    pub default_filter_chain: Option<Arc<FilterChain>>,
    /// Connection-level access logs.
    pub access_log: Vec<AccessLog>,
}

/// Envoy `TrafficDirection`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Neither: a gateway or a plain proxy.
    #[default]
    Unspecified,
    /// Towards the application of this pod.
    Inbound,
    /// From the application of this pod.
    Outbound,
}

/// What happens to a connection whose properties match. Source: Envoy `FilterChain`.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterChain {
    /// Name for logs and `RBAC` statistics; may be empty.
    pub name: Arc<str>,
    /// Conditions; an empty one always matches.
    pub matches: ChainMatch,
    /// TLS that the chain terminates.
    pub tls: Option<TlsServer>,
    /// Filters before the terminal one, in order.
    pub filters: Vec<NetworkFilter>,
    /// The terminal filter.
    pub terminal: Terminal,
}

impl FilterChain {
    /// Whether connections of this chain may go on under `next`: it is the same, but for another
    /// certificate that new clients are shown.
    pub fn serves_as(&self, next: &Self) -> bool {
        let renewed = |tls: &TlsServer| TlsServer {
            identity: TlsIdentity::Workload,
            ..tls.clone()
        };
        self.matches == next.matches
            && self.terminal == next.terminal
            && self.filters == next.filters
            && self.name == next.name
            && self.tls.as_ref().map(renewed) == next.tls.as_ref().map(renewed)
    }
}

/// Envoy `FilterChainMatch`; empty lists and `None` match everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChainMatch {
    /// Original destination port.
    pub destination_port: Option<u16>,
    /// Original destination address.
    pub prefix_ranges: Vec<IpNet>,
    /// SNI, exact or `*.suffix`.
    pub server_names: Vec<Arc<str>>,
    /// `tls` or `raw_buffer`, as the TLS inspector saw it.
    pub transport: Option<Transport>,
    /// ALPN protocols that the client offers, or what the HTTP inspector saw.
    pub application_protocols: Vec<Arc<str>>,
    /// Address of the peer.
    pub source_prefix_ranges: Vec<IpNet>,
}

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// No TLS (`raw_buffer`).
    Raw,
    /// A ClientHello.
    Tls,
}

/// A filter before the terminal one.
#[derive(Clone, Debug, PartialEq)]
pub enum NetworkFilter {
    /// `envoy.filters.network.rbac`.
    Rbac(Arc<Rbac>),
}

/// The filter that consumes a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Terminal {
    /// `envoy.filters.network.http_connection_manager`.
    Http(Arc<Hcm>),
    /// `envoy.filters.network.tcp_proxy`.
    Tcp(Arc<TcpProxy>),
}

/// Envoy `TcpProxy`.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpProxy {
    /// Prefix of its statistics.
    pub stat_prefix: Arc<str>,
    /// Clusters with weights; one entry is the usual case. Never empty.
    pub clusters: Vec<(Arc<str>, u32)>,
    /// Close after this long without a byte; `None` never does. Envoy's default is 1 h.
    pub idle_timeout: Option<Duration>,
    /// How often connecting is tried, default 1.
    pub max_connect_attempts: u32,
    /// Hash by source address, for ring hash and maglev.
    pub hash_source_ip: bool,
    /// Access logs of its connections.
    pub access_log: Vec<AccessLog>,
}

/// Envoy `HttpConnectionManager`.
#[derive(Clone, Debug, PartialEq)]
pub struct Hcm {
    /// Prefix of its statistics: `http.<stat_prefix>.downstream_rq_2xx`.
    pub stat_prefix: Arc<str>,
    /// Which HTTP the peer speaks.
    pub codec: Codec,
    /// Where its routes are.
    pub routes: Routes,
    /// HTTP filters before the router, in order.
    pub filters: Vec<HttpFilter>,
    /// Access logs of its requests.
    pub access_log: Vec<AccessLog>,
    /// `server` response header; `None` keeps the upstream's.
    pub server_name: Option<Arc<str>>,
    /// An upstream's own `server` goes before ours (Envoy `APPEND_IF_ABSENT`).
    pub keep_server: bool,
    /// Trust `x-forwarded-for` of the peer (Envoy `use_remote_address: false` with hops).
    pub use_remote_address: bool,
    /// Clients that may steer the proxy by `x-envoy-*` headers (Envoy `internal_address_config`),
    /// default none.
    pub internal: Vec<IpNet>,
    /// Envoy `forward_client_cert_details`.
    pub forward_client_cert: ForwardClientCert,
    /// Make an `x-request-id` when there is none, default true.
    pub generate_request_id: bool,
    /// Envoy `preserve_external_request_id`.
    pub preserve_external_request_id: bool,
    /// Merge repeated slashes before anything reads the path.
    pub merge_slashes: bool,
    /// RFC 3986 path normalisation before anything reads the path.
    pub normalize_path: bool,
    /// What to do with `%2F` and friends.
    pub escaped_slashes: EscapedSlashes,
    /// What to do with field names that hold underscores.
    pub underscores: Underscores,
    /// Accept HTTP/1.0, default false.
    pub accept_http_10: bool,
    /// Time for a complete request head, default none.
    pub request_headers_timeout: Option<Duration>,
    /// Envoy `stream_idle_timeout`; zero in the wire format is `None` here.
    pub stream_idle_timeout: Option<Duration>,
    /// Envoy `common_http_protocol_options.idle_timeout`, default 1 h.
    pub idle_timeout: Option<Duration>,
    /// Envoy `request_timeout`.
    pub request_timeout: Option<Duration>,
    /// Envoy `max_connection_duration`.
    pub max_connection_duration: Option<Duration>,
    /// Largest head in bytes, default 60 KiB.
    pub max_headers_bytes: usize,
    /// Most header fields, default 100.
    pub max_headers: usize,
    /// HTTP/2 `max_concurrent_streams`, default 100.
    pub max_concurrent_streams: u32,
    /// `Upgrade` tokens that are let through, such as `websocket`.
    pub upgrades: Vec<Arc<str>>,
    /// Envoy `tracing`.
    pub tracing: Option<Arc<super::Tracing>>,
}

/// Envoy `CodecType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codec {
    /// Decide by ALPN, else by the HTTP/2 preface.
    #[default]
    Auto,
    /// HTTP/1 only.
    Http1,
    /// HTTP/2 only.
    Http2,
}

/// Where a connection manager's routes are.
#[derive(Clone, Debug, PartialEq)]
pub enum Routes {
    /// In [`super::Config::routes`] under this name; absent there means 404 `NR`.
    Named(Arc<str>),
    /// Here.
    Inline(Arc<RouteTable>),
}

/// Envoy `ForwardClientCertDetails`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardClientCert {
    /// Remove what the peer sent.
    #[default]
    Sanitize,
    /// Pass what an mTLS peer sent.
    ForwardOnly,
    /// Append our element when the peer is verified, else remove.
    AppendForward,
    /// Replace by our element when the peer is verified, else remove.
    SanitizeSet,
    /// Pass anything.
    AlwaysForwardOnly,
}

/// Envoy `HeadersWithUnderscoresAction`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Underscores {
    /// Leave them alone.
    #[default]
    Allow,
    /// Answer 400.
    Reject,
    /// Drop the field before anything reads it.
    Drop,
}

/// Envoy `PathWithEscapedSlashesAction`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EscapedSlashes {
    /// Leave them alone.
    #[default]
    Keep,
    /// Answer 400.
    Reject,
    /// Redirect to the unescaped path.
    Redirect,
    /// Unescape and go on.
    Forward,
}
