//! Policies that stand on listeners and routes: TLS, RBAC, faults, CORS, limits, logs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Envoy `StringMatcher`.
#[derive(Clone, Debug)]
pub enum StringMatch {
    /// Equal; ignore case when the flag is set.
    Exact(Arc<str>, bool),
    /// Starts with.
    Prefix(Arc<str>, bool),
    /// Ends with.
    Suffix(Arc<str>, bool),
    /// Contains.
    Contains(Arc<str>, bool),
    /// The whole text matches.
    Regex(Arc<regex::Regex>),
}

impl PartialEq for StringMatch {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(a, i), Self::Exact(b, j))
            | (Self::Prefix(a, i), Self::Prefix(b, j))
            | (Self::Suffix(a, i), Self::Suffix(b, j))
            | (Self::Contains(a, i), Self::Contains(b, j)) => a == b && i == j,
            (Self::Regex(a), Self::Regex(b)) => a.as_str() == b.as_str(),
            (
                Self::Exact(..)
                | Self::Prefix(..)
                | Self::Suffix(..)
                | Self::Contains(..)
                | Self::Regex(_),
                _,
            ) => false,
        }
    }
}

impl StringMatch {
    /// Whether `text` satisfies the condition. Never allocates: policies ask it for every request.
    pub fn matches(&self, text: &str) -> bool {
        let same = |part: Option<&[u8]>, want: &str| {
            part.is_some_and(|part| part.eq_ignore_ascii_case(want.as_bytes()))
        };
        let bytes = text.as_bytes();
        match self {
            Self::Exact(want, false) => text == &**want,
            Self::Exact(want, true) => text.eq_ignore_ascii_case(want),
            Self::Prefix(want, false) => text.starts_with(&**want),
            Self::Prefix(want, true) => same(bytes.get(..want.len()), want),
            Self::Suffix(want, false) => text.ends_with(&**want),
            Self::Suffix(want, true) => {
                let start = bytes.len().checked_sub(want.len());
                same(start.and_then(|start| bytes.get(start..)), want)
            }
            Self::Contains(want, false) => text.contains(&**want),
            Self::Contains(want, true) => {
                want.is_empty() || bytes.windows(want.len()).any(|part| same(Some(part), want))
            }
            Self::Regex(pattern) => {
                // Envoy's RE2 matches the whole text; patterns are anchored by decode.
                pattern.is_match(text)
            }
        }
    }
}

/// Envoy `DownstreamTlsContext`.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsServer {
    /// Certificate that we show.
    pub identity: TlsIdentity,
    /// Ask for and require a client certificate.
    pub require_client: bool,
    /// Whom clients must be signed by.
    pub client_roots: Option<super::TlsRoots>,
    /// A client's URI names must match one (trust domains); empty means any.
    pub client_sans: Vec<StringMatch>,
    /// ALPN that we accept, in our order.
    pub alpn: Vec<Arc<str>>,
    /// Accept TLS 1.2 too; mesh mTLS never does.
    pub tls12: bool,
}

/// Where a certificate and key come from. Debug output, which people are shown, hides the key.
#[derive(Clone, PartialEq, Eq)]
pub enum TlsIdentity {
    /// This workload's own, rotating (SDS `default`).
    Workload,
    /// The certificate of this name (SDS); none is left in a configuration that is in force.
    Secret(Arc<str>),
    /// PEM chain and key from configuration or SDS.
    Pem {
        /// Certificate chain, leaf first.
        chain: Arc<str>,
        /// PKCS#8, PKCS#1 or SEC1 key.
        key: Arc<str>,
    },
}

/// What SDS tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// A certificate with its key: always [`TlsIdentity::Pem`].
    Certificate(TlsIdentity),
    /// Whom clients must be signed by, PEM.
    Roots(Arc<str>),
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload => f.write_str("Workload"),
            Self::Secret(name) => f.debug_tuple("Secret").field(name).finish(),
            Self::Pem { chain, key: _ } => {
                let mut pem = f.debug_struct("Pem");
                pem.field("chain", chain).finish_non_exhaustive()
            }
        }
    }
}

/// An HTTP filter before the router.
#[derive(Clone, Debug, PartialEq)]
pub enum HttpFilter {
    /// `envoy.filters.http.rbac`.
    Rbac(Arc<Rbac>),
    /// `envoy.filters.http.fault`.
    Fault(Arc<Fault>),
    /// `envoy.filters.http.cors`; works with its override only.
    Cors,
    /// `envoy.filters.http.local_ratelimit`.
    LocalRateLimit(Arc<LocalRateLimit>),
    /// `istio.metadata_exchange`: peer metadata over headers.
    PeerMetadata,
    /// `istio.stats`: Istio's standard metrics.
    IstioStats,
}

/// Settings of a filter on a virtual host or route (Envoy `typed_per_filter_config`).
#[derive(Clone, Debug, PartialEq)]
pub enum HttpFilterOverride {
    /// Fault settings.
    Fault(Arc<Fault>),
    /// CORS settings.
    Cors(Arc<Cors>),
    /// RBAC settings; `None` switches it off.
    Rbac(Option<Arc<Rbac>>),
    /// Rate limit settings.
    LocalRateLimit(Arc<LocalRateLimit>),
    /// The filter is off.
    Disabled,
}

/// Envoy `RBAC`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rbac {
    /// What a match means; `None` has no rules and lets all pass.
    pub rules: Option<RbacRules>,
    /// Evaluated and counted, never enforced.
    pub shadow: Option<RbacRules>,
    /// Prefix of shadow statistics.
    pub shadow_prefix: Arc<str>,
}

/// Envoy `config.rbac.v3.RBAC`.
#[derive(Clone, Debug, PartialEq)]
pub struct RbacRules {
    /// What a match means.
    pub action: RbacAction,
    /// Policies by name, in name order; one that matches is enough.
    pub policies: Vec<(Arc<str>, RbacPolicy)>,
}

/// Envoy `RBAC.Action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RbacAction {
    /// Only what matches passes.
    Allow,
    /// What matches is refused.
    Deny,
    /// What matches is marked, all passes.
    Log,
}

/// Envoy `Policy`: one permission and one principal must match.
#[derive(Clone, Debug, PartialEq)]
pub struct RbacPolicy {
    /// Any of these.
    pub permissions: Vec<Permission>,
    /// Any of these.
    pub principals: Vec<Principal>,
}

/// Envoy `Permission`.
#[derive(Clone, Debug, PartialEq)]
pub enum Permission {
    /// Always.
    Any,
    /// All of them.
    And(Vec<Permission>),
    /// One of them.
    Or(Vec<Permission>),
    /// Not it.
    Not(Box<Permission>),
    /// A header.
    Header(super::HeaderMatch),
    /// The path without query.
    UrlPath(StringMatch),
    /// The path template of Istio (`{*}`, `{**}`).
    UriTemplate(PathTemplate),
    /// Destination port.
    DestinationPort(u16),
    /// Destination ports `[start, end)`.
    DestinationPortRange(u16, u16),
    /// Destination address.
    DestinationIp(ipnet::IpNet),
    /// SNI.
    ServerName(StringMatch),
}

/// Envoy `UriTemplateMatchConfig`.
#[derive(Clone, Debug)]
pub struct PathTemplate {
    /// As written.
    pub text: Arc<str>,
    /// Compiled and anchored.
    pub pattern: Arc<regex::Regex>,
}

impl PartialEq for PathTemplate {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Envoy `Principal`.
#[derive(Clone, Debug, PartialEq)]
pub enum Principal {
    /// Always.
    Any,
    /// All of them.
    And(Vec<Principal>),
    /// One of them.
    Or(Vec<Principal>),
    /// Not it.
    Not(Box<Principal>),
    /// The verified SPIFFE URI; `None` is any verified peer.
    Authenticated(Option<StringMatch>),
    /// The address of the peer's socket.
    DirectRemoteIp(ipnet::IpNet),
    /// The client address after `x-forwarded-for` was considered.
    RemoteIp(ipnet::IpNet),
    /// A header.
    Header(super::HeaderMatch),
    /// The path.
    UrlPath(StringMatch),
    /// A value of dynamic metadata: filter, path, condition, whether lists match by element.
    Metadata(MetadataMatch),
}

/// Envoy `MetadataMatcher`, as far as JWT claims need it.
#[derive(Clone, Debug, PartialEq)]
pub struct MetadataMatch {
    /// Filter namespace.
    pub filter: Arc<str>,
    /// Keys from the root.
    pub path: Vec<Arc<str>>,
    /// Condition on the text, or on one element of a list; `None` is presence.
    pub value: Option<StringMatch>,
}

/// Envoy `HTTPFault`. Percentages in millionths.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fault {
    /// Share and length of a delay.
    pub delay: Option<(u32, Duration)>,
    /// Share and answer of an abort.
    pub abort: Option<(u32, Abort)>,
}

/// What an aborted request gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// HTTP status.
    Http(u16),
    /// gRPC status.
    Grpc(u32),
}

/// Envoy `CorsPolicy`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cors {
    /// Allowed origins.
    pub origins: Vec<StringMatch>,
    /// `access-control-allow-methods`.
    pub methods: Arc<str>,
    /// `access-control-allow-headers`.
    pub headers: Arc<str>,
    /// `access-control-expose-headers`.
    pub expose: Arc<str>,
    /// `access-control-max-age`.
    pub max_age: Arc<str>,
    /// `access-control-allow-credentials: true`, default no.
    pub credentials: Option<bool>,
    /// Forward a preflight whose origin does not match, default true; else it gets a bare 200.
    pub forward_unmatched_preflight: Option<bool>,
    /// Share of requests that it applies to, in millionths.
    pub enabled_per_million: u32,
}

/// Envoy `LocalRateLimit`: a token bucket for this proxy.
#[derive(Debug, PartialEq)]
pub struct LocalRateLimit {
    /// Prefix of statistics.
    pub stat_prefix: Arc<str>,
    /// The tokens, which all workers share; `None` never limits.
    pub bucket: Option<super::TokenBucket>,
    /// Share of requests that are counted, in millionths. Default none.
    pub enabled_per_million: u32,
    /// Share of requests without a token that are refused, in millionths. Default none.
    pub enforced_per_million: u32,
    /// Answer, default 429.
    pub status: u16,
    /// A gRPC client gets `RESOURCE_EXHAUSTED` instead of `UNAVAILABLE`.
    pub resource_exhausted: bool,
    /// Changes to the answer of a refused request.
    pub response: super::HeaderEdit,
    /// Draft `x-ratelimit-*` headers.
    pub headers: bool,
}

/// An access log. Source: Envoy `FileAccessLog`.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessLog {
    /// `/dev/stdout` or a file.
    pub path: Arc<str>,
    /// How a line looks.
    pub format: LogFormat,
    /// Log only responses with this flag, such as `NR`.
    pub only_flag: Option<Arc<str>>,
}

/// How an access log line looks.
#[derive(Clone, Debug, PartialEq)]
pub enum LogFormat {
    /// Text with Envoy's `%COMMANDS%`.
    Text(Arc<str>),
    /// JSON object of templates, keys in order.
    Json(Arc<[(Arc<str>, Arc<str>)]>),
}

/// Envoy `HttpConnectionManager.Tracing`. Shares in millionths.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracing {
    /// Share of new traces that are sampled.
    pub random_per_million: u32,
    /// Cluster that takes OTLP over gRPC.
    pub collector: Option<Arc<str>>,
    /// Service name of spans.
    pub service_name: Arc<str>,
}
