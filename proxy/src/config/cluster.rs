//! Clusters, endpoints and upstream TLS. Source: Envoy `config.cluster.v3`, `config.endpoint.v3`.

use super::{StringMatch, TlsIdentity};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A group of endpoints that are alike. Source: Envoy `Cluster`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Name, such as `outbound|80||reviews.shop.svc.cluster.local`.
    pub name: Arc<str>,
    /// Where endpoints come from.
    pub discovery: Discovery,
    /// How one is chosen.
    pub lb: LoadBalancing,
    /// Time for connecting, TLS included. Default 5 s.
    pub connect_timeout: Duration,
    /// TLS by endpoint metadata (Envoy `transport_socket_matches`, first match wins), then `tls`.
    pub tls_matches: Vec<TlsMatch>,
    /// TLS when no match applies; `None` is plaintext.
    pub tls: Option<Arc<TlsClient>>,
    /// Protocol towards the upstream.
    pub protocol: UpstreamProtocol,
    /// Circuit breakers of the default priority.
    pub limits: Limits,
    /// Outlier detection.
    pub outlier: Option<Outlier>,
    /// Active health checks.
    pub health_checks: Vec<HealthCheck>,
    /// Below this share of healthy hosts all are used, in percent. Envoy's default 50, Istio's 0.
    pub panic_threshold: f64,
    /// Idle upstream connections live this long; default 1 h.
    pub idle_timeout: Option<Duration>,
    /// Requests per connection; 0 is no limit.
    pub max_requests_per_connection: u32,
    /// Source address of upstream connections (`127.0.0.6` towards the own application).
    pub bind_source: Option<std::net::IpAddr>,
    /// TCP keep-alive: idle seconds, interval seconds, probes.
    pub keepalive: Option<(u32, u32, u32)>,
    /// The service behind it, for the labels of Istio's metrics.
    pub service: Option<ServiceLabels>,
    /// Outside the mesh (Istio cluster metadata `istio.external`): nobody there is told who calls.
    pub external: bool,
}

/// `destination_service*` labels. Source: Istio cluster metadata `istio.services[0]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceLabels {
    /// `reviews.shop.svc.cluster.local`.
    pub host: Arc<str>,
    /// `reviews`.
    pub name: Arc<str>,
    /// `shop`.
    pub namespace: Arc<str>,
}

/// Where endpoints come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Discovery {
    /// Fixed here.
    Static(Endpoints),
    /// From EDS; empty until the first answer.
    Eds(Endpoints),
    /// Every address of these names.
    StrictDns(DnsTargets),
    /// One address at a time of these names.
    LogicalDns(DnsTargets),
    /// The connection's own original destination.
    OriginalDst,
}

/// Names to resolve.
#[derive(Clone, Debug, PartialEq)]
pub struct DnsTargets {
    /// The names.
    pub targets: Vec<DnsTarget>,
    /// Time between look-ups when the TTL is not obeyed, default 5 s.
    pub refresh: Duration,
    /// Obey the TTL.
    pub respect_ttl: bool,
    /// Which addresses count.
    pub family: LookupFamily,
}

/// A name to resolve.
#[derive(Clone, Debug, PartialEq)]
pub struct DnsTarget {
    /// Host name, or an address.
    pub name: Arc<str>,
    /// Region, zone, sub-zone joined by `/`.
    pub locality: Arc<str>,
    /// Priority of the locality.
    pub priority: u32,
    /// What all its endpoints are like; of the address only the port counts.
    pub like: Endpoint,
}

/// Envoy `DnsLookupFamily`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LookupFamily {
    /// Both.
    #[default]
    All,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// IPv4; IPv6 where there is none.
    V4Preferred,
}

/// Endpoints by locality.
pub type Endpoints = Arc<Vec<Locality>>;

/// Envoy `LocalityLbEndpoints`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Locality {
    /// Region, zone, sub-zone joined by `/`.
    pub name: Arc<str>,
    /// 0 is used first.
    pub priority: u32,
    /// Relative weight among localities; `None` when unweighted.
    pub weight: Option<u32>,
    /// Its endpoints.
    pub endpoints: Vec<Arc<Endpoint>>,
}

/// Envoy `LbEndpoint`.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    /// Relative weight, default 1.
    pub weight: u32,
    /// What discovery says of its health.
    pub health: EndpointHealth,
    /// Filter metadata `envoy.transport_socket_match`.
    pub transport_match: BTreeMap<Arc<str>, Arc<str>>,
    /// Filter metadata `istio.workload`: "workload;namespace;canonical;revision;cluster".
    pub workload: Option<Arc<str>>,
}

impl Endpoint {
    /// An endpoint of which nothing is known but its address.
    pub fn at(address: SocketAddr) -> Self {
        Self {
            address,
            weight: 1,
            health: EndpointHealth::default(),
            transport_match: BTreeMap::new(),
            workload: None,
        }
    }
}

/// Envoy `HealthStatus`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndpointHealth {
    /// Healthy or unknown.
    #[default]
    Healthy,
    /// No new requests, old ones go on.
    Draining,
    /// Not to be used.
    Unhealthy,
}

/// TLS for endpoints with matching metadata. Source: Envoy `TransportSocketMatch`.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsMatch {
    /// All must be equal in the endpoint's metadata.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// TLS to use; `None` is plaintext.
    pub tls: Option<Arc<TlsClient>>,
}

/// Envoy `UpstreamTlsContext`.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsClient {
    /// Certificate that we show.
    pub identity: Option<TlsIdentity>,
    /// Whom we trust; `None` accepts any certificate.
    pub roots: Option<TlsRoots>,
    /// The peer's names must match one; empty means any.
    pub sans: Vec<StringMatch>,
    /// SNI to send.
    pub sni: Option<Arc<str>>,
    /// Use the request's host as SNI (`auto_sni`).
    pub auto_sni: bool,
    /// Verify the peer's name against the SNI (`auto_san_validation`).
    pub auto_san: bool,
    /// Accept TLS 1.2 too; mesh mTLS never does.
    pub tls12: bool,
    /// ALPN to offer. One that contains `istio` is a mesh peer: the offer is then made per
    /// connection from what it carries (`istio-http/1.1`, `istio-h2`, `istio-peer-exchange`).
    pub alpn: Vec<Arc<str>>,
}

/// Whom a TLS peer must be signed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsRoots {
    /// The mesh's roots (SDS `ROOTCA`).
    Mesh,
    /// The roots of this name (SDS); none is left in a configuration that is in force.
    Secret(Arc<str>),
    /// PEM text.
    Pem(Arc<str>),
}

/// Protocol towards an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2.
    Http2,
    /// Whatever the client speaks (`use_downstream_protocol_config`).
    Downstream,
}

/// Envoy `LbPolicy` with its settings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum LoadBalancing {
    /// Weighted round robin.
    RoundRobin {
        /// Slow start.
        slow_start: Option<SlowStart>,
    },
    /// The less busy of two random ones.
    #[default]
    LeastRequest,
    /// Least request with settings.
    LeastRequestWith {
        /// How many are compared, default 2.
        choices: u32,
        /// Slow start.
        slow_start: Option<SlowStart>,
    },
    /// Uniform.
    Random,
    /// Ketama ring of XXH64.
    RingHash {
        /// Least number of ring entries.
        minimum_ring_size: u64,
    },
    /// Maglev table.
    Maglev {
        /// Prime table size, default 65537.
        table_size: u64,
    },
    /// The cluster's own (original destination).
    Provided,
}

/// Envoy `SlowStartConfig`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowStart {
    /// Ramp length.
    pub window: Duration,
    /// Exponent, default 1.
    pub aggression: f64,
    /// Weight at the start in percent, default 10.
    pub min_weight_percent: f64,
}

/// Envoy `CircuitBreakers.Thresholds`; Envoy's defaults are 1024 (retries 3), Istio's 2^32-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections.
    pub connections: u32,
    /// Requests that wait for a connection.
    pub pending: u32,
    /// Requests in flight.
    pub requests: u32,
    /// Retries in flight.
    pub retries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            pending: 1024,
            requests: 1024,
            retries: 3,
        }
    }
}

/// Envoy `OutlierDetection`, with Envoy's defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlier {
    /// 5xx answers in a row; `None` is off. Default 5.
    pub consecutive_5xx: Option<u32>,
    /// 502, 503, 504 in a row; `None` is off.
    pub consecutive_gateway: Option<u32>,
    /// Local failures in a row when split; `None` is off.
    pub consecutive_local: Option<u32>,
    /// Count local failures apart.
    pub split_local: bool,
    /// Sweep, default 10 s.
    pub interval: Duration,
    /// First ejection, default 30 s.
    pub base_ejection: Duration,
    /// Longest ejection, default 300 s.
    pub max_ejection: Duration,
    /// Default 10.
    pub max_ejection_percent: u32,
}

/// Envoy `HealthCheck` over HTTP.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthCheck {
    /// Limit for one probe.
    pub timeout: Duration,
    /// Between probes.
    pub interval: Duration,
    /// Failures until unhealthy.
    pub unhealthy_threshold: u32,
    /// Successes until healthy again.
    pub healthy_threshold: u32,
    /// HTTP probe; `None` only connects.
    pub http: Option<HttpProbe>,
}

/// Envoy `HttpHealthCheck`.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpProbe {
    /// Path.
    pub path: Arc<str>,
    /// Host header; the cluster's name when absent.
    pub host: Option<Arc<str>>,
}
