//! Virtual hosts, routes and what they do. Source: Envoy `config.route.v3`.

use super::{HttpFilterOverride, Retry, StringMatch};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Envoy `RouteConfiguration`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteTable {
    /// RDS name.
    pub name: Arc<str>,
    /// Virtual hosts; a domain stands in one of them only.
    pub virtual_hosts: Vec<Arc<VirtualHost>>,
    /// Match domains without the port of `:authority`.
    pub ignore_port_in_host: bool,
    /// Header changes for all.
    pub headers: HeaderChanges,
    /// Filter settings by filter name, for virtual hosts and routes without their own.
    pub overrides: BTreeMap<Arc<str>, HttpFilterOverride>,
}

/// Envoy `VirtualHost`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VirtualHost {
    /// Name, such as `reviews.shop.svc.cluster.local:9080`.
    pub name: Arc<str>,
    /// Domains: exact, `*.suffix`, `prefix.*`, `*`; searched in that order, longest first.
    pub domains: Vec<Arc<str>>,
    /// Routes; the first that matches is taken.
    pub routes: Vec<Arc<Route>>,
    /// Header changes for its routes.
    pub headers: HeaderChanges,
    /// Envoy `include_request_attempt_count`.
    pub include_attempt_count: bool,
    /// Redirect plaintext to https (`require_tls: ALL`).
    pub require_tls: bool,
    /// Filter settings by filter name.
    pub overrides: BTreeMap<Arc<str>, HttpFilterOverride>,
}

/// Envoy `Route`.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Name for logs; may be empty.
    pub name: Arc<str>,
    /// When it applies.
    pub matches: RouteMatch,
    /// What it does.
    pub action: Action,
    /// Header changes of this route.
    pub headers: HeaderChanges,
    /// Filter settings by filter name.
    pub overrides: BTreeMap<Arc<str>, HttpFilterOverride>,
}

/// Envoy `RouteMatch`.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteMatch {
    /// How the path must look, query excluded.
    pub path: PathMatch,
    /// Ignore case for exact and prefix paths when false. Default true.
    pub case_sensitive: bool,
    /// All must match.
    pub headers: Vec<HeaderMatch>,
    /// All must match.
    pub query: Vec<QueryMatch>,
    /// Only gRPC requests.
    pub grpc: bool,
    /// Share of requests in millionths; `None` is all.
    pub fraction_per_million: Option<u32>,
}

/// How a route looks at the path.
#[derive(Clone, Debug)]
pub enum PathMatch {
    /// Plain string prefix: `/api` matches `/apix`.
    Prefix(Arc<str>),
    /// Path-separated prefix: `/api` matches `/api` and `/api/x` only.
    SegmentPrefix(Arc<str>),
    /// The whole path.
    Exact(Arc<str>),
    /// The whole path must match (RE2 semantics).
    Regex(Arc<regex::Regex>),
}

impl PartialEq for PathMatch {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Prefix(a), Self::Prefix(b))
            | (Self::SegmentPrefix(a), Self::SegmentPrefix(b))
            | (Self::Exact(a), Self::Exact(b)) => a == b,
            (Self::Regex(a), Self::Regex(b)) => a.as_str() == b.as_str(),
            (Self::Prefix(_) | Self::SegmentPrefix(_) | Self::Exact(_) | Self::Regex(_), _) => {
                false
            }
        }
    }
}

/// Envoy `HeaderMatcher`.
#[derive(Clone, Debug, PartialEq)]
pub struct HeaderMatch {
    /// Lower-case name; pseudo headers as `:method`, `:path`, `:authority`, `:scheme`.
    pub name: Arc<str>,
    /// Condition on the (comma-joined) value.
    pub value: HeaderValueMatch,
    /// Negate.
    pub invert: bool,
    /// Treat a missing header as an empty value.
    pub missing_as_empty: bool,
}

/// Condition on a header's value.
#[derive(Clone, Debug, PartialEq)]
pub enum HeaderValueMatch {
    /// Present (true) or absent (false).
    Present(bool),
    /// A string condition.
    String(StringMatch),
    /// An integer in `[start, end)`.
    Range(i64, i64),
}

/// Envoy `QueryParameterMatcher`.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryMatch {
    /// Parameter name.
    pub name: Arc<str>,
    /// `None`: present is enough.
    pub value: Option<StringMatch>,
}

/// What a route does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send it on.
    Forward(Arc<Forward>),
    /// Answer with a redirect.
    Redirect(Arc<Redirect>),
    /// Answer at once.
    Respond {
        /// Status.
        status: u16,
        /// Body.
        body: Arc<[u8]>,
    },
}

/// Envoy `RouteAction`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forward {
    /// Clusters with weights; one entry is the usual case.
    pub clusters: Vec<Arc<WeightedCluster>>,
    /// Replaces the matched prefix or exact path.
    pub prefix_rewrite: Option<Arc<str>>,
    /// Pattern and substitution on the path.
    pub regex_rewrite: Option<RegexRewrite>,
    /// New `host`.
    pub host_rewrite: Option<Arc<str>>,
    /// Keep a replaced `host` in `x-forwarded-host`.
    pub keep_host: bool,
    /// Answer when the cluster does not exist; `None` is 503.
    pub no_cluster_status: Option<u16>,
    /// Time for the whole response; `None` is no limit (Envoy's 15 s default is applied by decode).
    pub timeout: Option<Duration>,
    /// Envoy route `idle_timeout`, overrides the manager's.
    pub idle_timeout: Option<Duration>,
    /// Cap for `grpc-timeout`; `Some(ZERO)` obeys the client's without a cap.
    pub max_grpc_timeout: Option<Duration>,
    /// The same for `max_stream_duration`: an end of the whole call, which gRPC's own status tells.
    pub max_grpc_deadline: Option<Duration>,
    /// Retries.
    pub retry: Option<Retry>,
    /// Shadow traffic.
    pub mirrors: Vec<Mirror>,
    /// What ring hash and maglev go by: all that yield a value, up to the first terminal one.
    pub hash: Vec<HashKey>,
    /// Envoy `upgrade_configs` of the route that differ from the manager's.
    pub upgrades: BTreeMap<Arc<str>, bool>,
}

/// One share of a forward action.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightedCluster {
    /// Cluster name.
    pub name: Arc<str>,
    /// Relative weight; 0 is never chosen.
    pub weight: u32,
    /// Header changes for this share.
    pub headers: HeaderChanges,
    /// New `host` for this share.
    pub host_rewrite: Option<Arc<str>>,
}

/// Envoy `RegexMatchAndSubstitute`.
#[derive(Clone, Debug)]
pub struct RegexRewrite {
    /// What to replace; every match.
    pub pattern: Arc<regex::Regex>,
    /// Replacement with `${1}` groups.
    pub substitution: Arc<str>,
}

impl PartialEq for RegexRewrite {
    fn eq(&self, other: &Self) -> bool {
        self.pattern.as_str() == other.pattern.as_str() && self.substitution == other.substitution
    }
}

/// Envoy `RedirectAction`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Redirect {
    /// New scheme.
    pub scheme: Option<Arc<str>>,
    /// New host.
    pub host: Option<Arc<str>>,
    /// New port.
    pub port: Option<u16>,
    /// New path, query kept.
    pub path: Option<Arc<str>>,
    /// Replaces the matched prefix.
    pub prefix_rewrite: Option<Arc<str>>,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// Drop the query.
    pub strip_query: bool,
}

/// Envoy `RequestMirrorPolicy`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mirror {
    /// Where the copies go.
    pub cluster: Arc<str>,
    /// Share in millionths.
    pub per_million: u32,
    /// Append `-shadow` to the host.
    pub host_suffix: bool,
}

/// One of the things that are hashed together.
#[derive(Clone, Debug, PartialEq)]
pub struct HashKey {
    /// What.
    pub policy: HashPolicy,
    /// Nothing that follows is hashed if this yields a value.
    pub terminal: bool,
}

/// Envoy `HashPolicy`.
#[derive(Clone, Debug, PartialEq)]
pub enum HashPolicy {
    /// A header's value.
    Header(Arc<str>),
    /// A cookie's value; generated when a TTL is given.
    Cookie {
        /// Cookie name.
        name: Arc<str>,
        /// Path attribute.
        path: Arc<str>,
        /// Lifetime of a generated one, zero for a session; `None` never generates.
        ttl: Option<Duration>,
    },
    /// The peer's address.
    SourceIp,
    /// A query parameter.
    Query(Arc<str>),
}

/// Header changes in the order of Envoy: removals, then additions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeaderChanges {
    /// On the way to the upstream.
    pub request: HeaderEdit,
    /// On the way back.
    pub response: HeaderEdit,
}

/// Changes of one direction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeaderEdit {
    /// Lower-case names to remove.
    pub remove: Vec<http::HeaderName>,
    /// Name, value template (Envoy `%COMMAND%`s), how.
    pub add: Vec<(http::HeaderName, Arc<str>, Append)>,
}

/// Envoy `HeaderAppendAction`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Append {
    /// `APPEND_IF_EXISTS_OR_ADD`.
    #[default]
    Append,
    /// `ADD_IF_ABSENT`.
    AddIfAbsent,
    /// `OVERWRITE_IF_EXISTS_OR_ADD`.
    Overwrite,
    /// `OVERWRITE_IF_EXISTS`.
    OverwriteIfExists,
}

/// The peer of a request, as hash policies and policies see it.
pub type PeerAddress = IpAddr;
