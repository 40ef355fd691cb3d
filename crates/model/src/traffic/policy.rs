//! Traffic policies, parsed.

use std::time::Duration;

/// How endpoints are reached. What is `None` is as the mesh has it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Policy {
    /// How one is chosen.
    pub balancing: Option<LoadBalancing>,
    /// Limits.
    pub pool: Option<Pool>,
    /// When one is left alone for a while.
    pub outlier: Option<Outlier>,
    /// TLS.
    pub tls: Option<TlsMode>,
}

impl Policy {
    /// With what `over` says instead.
    pub(super) fn overlaid_by(self, over: &Self) -> Self {
        Self {
            balancing: over.balancing.clone().or(self.balancing),
            pool: over.pool.clone().or(self.pool),
            outlier: over.outlier.clone().or(self.outlier),
            tls: over.tls.clone().or(self.tls),
        }
    }
}

/// How an endpoint is chosen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LoadBalancing {
    /// The less busy of two.
    LeastRequest(Option<SlowStart>),
    /// One after the other.
    RoundRobin(Option<SlowStart>),
    /// Any.
    Random,
    /// Where the client was going.
    Passthrough,
    /// The same for the same key, on a ring of at least so many places.
    RingHash(Hash, u64),
    /// The same for the same key, in a table of this size; `None` is Envoy's default.
    Maglev(Hash, Option<u64>),
}

/// Less for endpoints that have just come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SlowStart {
    /// How long it takes.
    pub window: Duration,
    /// Share at the beginning, in a million.
    pub minimum_parts: u32,
    /// Exponent of the ramp, in thousandths.
    pub aggression_thousandths: u32,
}

/// What the choice depends on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Hash {
    /// A header field.
    Header(String),
    /// A cookie, which the proxy makes if it has a life.
    Cookie {
        /// Its name.
        name: String,
        /// Its path.
        path: String,
        /// Its life; zero is the browser's session.
        life: Option<Duration>,
    },
    /// The client's address.
    SourceIp,
    /// A query parameter.
    Query(String),
}

/// Limits of connections and requests. What is `None` is as the mesh has it.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Pool {
    /// Connections.
    pub connections: Option<u32>,
    /// Time to connect.
    pub connect_timeout: Option<Duration>,
    /// Probes, idle seconds and seconds between probes of the system.
    pub keepalive: Option<(Option<u32>, Option<u32>, Option<u32>)>,
    /// Life of a connection.
    pub connection_duration: Option<Duration>,
    /// Time without a byte, for connections that are not HTTP.
    pub tcp_idle: Option<Duration>,
    /// Requests that wait for a connection.
    pub pending: Option<u32>,
    /// Requests.
    pub requests: Option<u32>,
    /// Requests on one connection.
    pub requests_per_connection: Option<u32>,
    /// Retries at one time.
    pub retries: Option<u32>,
    /// Time that an unused connection is kept.
    pub http_idle: Option<Duration>,
    /// Whether HTTP/1.1 becomes HTTP/2.
    pub upgrade: bool,
    /// Whether the client's protocol is spoken.
    pub client_protocol: bool,
    /// Streams on one HTTP/2 connection.
    pub streams: Option<u32>,
}

/// When an endpoint is left alone for a while. What is `None` is off, or as Envoy has it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outlier {
    /// Answers of 500 and up in a row; 0 is off.
    pub server_errors: Option<u32>,
    /// Answers 502, 503 and 504 in a row.
    pub gateway_errors: Option<u32>,
    /// Failures to connect in a row.
    pub local_failures: Option<u32>,
    /// Whether those are counted apart.
    pub split: bool,
    /// Time between looks.
    pub interval: Option<Duration>,
    /// First time of being left alone.
    pub base_ejection: Option<Duration>,
    /// Share that may be left alone, in percent.
    pub max_percent: Option<u32>,
    /// Share below which all are used, in percent.
    pub min_health_percent: u32,
}

/// TLS that a rule asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TlsMode {
    /// None.
    Disable,
    /// The mesh's, whatever the endpoints' labels say.
    Mutual,
}
