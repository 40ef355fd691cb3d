//! A useful part of Envoy's own statistics, under Envoy's names.

use super::count::Count;
use super::flags::{Flag, Flags};
use super::labels::Escaped;
use super::text::Page;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// A group of numbers under one tag.
pub(super) trait Group: Default {
    /// First word of the name: `cluster`.
    const SCOPE: &'static str;
    /// Prometheus label that holds the tag.
    const TAG: &'static str;
    /// Names, and which of them are gauges.
    const NAMES: &'static [(&'static str, bool)];
    /// Values in the order of the names.
    fn values(&self) -> Vec<u64>;
}

macro_rules! group {
    ($(#[$doc:meta])* $group:ident, $scope:literal, $tag:literal,
     $($(#[$field_doc:meta])* $field:ident = $name:literal $gauge:literal;)*) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub struct $group {
            $($(#[$field_doc])* pub $field: Count,)*
        }

        impl Group for $group {
            const SCOPE: &'static str = $scope;
            const TAG: &'static str = $tag;
            const NAMES: &'static [(&'static str, bool)] = &[$(($name, $gauge),)*];
            fn values(&self) -> Vec<u64> {
                vec![$(self.$field.value(),)*]
            }
        }
    };
}

group! {
    /// `cluster.<name>.*`
    ClusterStats, "cluster", "envoy_cluster_name",
    /// Requests.
    rq_total = "upstream_rq_total" false;
    /// 1xx answers.
    rq_1xx = "upstream_rq_1xx" false;
    /// 2xx answers.
    rq_2xx = "upstream_rq_2xx" false;
    /// 3xx answers.
    rq_3xx = "upstream_rq_3xx" false;
    /// 4xx answers.
    rq_4xx = "upstream_rq_4xx" false;
    /// 5xx answers.
    rq_5xx = "upstream_rq_5xx" false;
    /// Requests without an answer in time.
    rq_timeout = "upstream_rq_timeout" false;
    /// Requests that the upstream reset.
    rq_rx_reset = "upstream_rq_rx_reset" false;
    /// Retries.
    rq_retry = "upstream_rq_retry" false;
    /// Retries that circuit breakers refused.
    rq_retry_overflow = "upstream_rq_retry_overflow" false;
    /// Requests that circuit breakers refused.
    rq_pending_overflow = "upstream_rq_pending_overflow" false;
    /// Choices without a healthy host.
    cx_none_healthy = "upstream_cx_none_healthy" false;
    /// Connections.
    cx_total = "upstream_cx_total" false;
    /// Connections now.
    cx_active = "upstream_cx_active" true;
    /// Connections that could not be made.
    cx_connect_fail = "upstream_cx_connect_fail" false;
    /// Connections that were not made in time.
    cx_connect_timeout = "upstream_cx_connect_timeout" false;
    /// Connections that circuit breakers refused.
    cx_overflow = "upstream_cx_overflow" false;
    /// Bytes from the upstream.
    cx_rx_bytes = "upstream_cx_rx_bytes_total" false;
    /// Bytes to the upstream.
    cx_tx_bytes = "upstream_cx_tx_bytes_total" false;
    /// TLS handshakes.
    ssl_handshake = "ssl.handshake" false;
    /// TLS handshakes that failed.
    ssl_error = "ssl.connection_error" false;
}

group! {
    /// `listener.<address>.*`
    ListenerStats, "listener", "envoy_listener_address",
    /// Connections.
    cx_total = "downstream_cx_total" false;
    /// Connections now.
    cx_active = "downstream_cx_active" true;
    /// Connections that no filter chain matched.
    no_filter_chain = "no_filter_chain_match" false;
    /// Detection that ended without bytes.
    pre_cx_timeout = "downstream_pre_cx_timeout" false;
    /// Connections that were refused, such as loops.
    refused = "downstream_cx_refused" false;
    /// `accept` calls that failed.
    accept_error = "downstream_cx_accept_error" false;
    /// TLS handshakes.
    ssl_handshake = "ssl.handshake" false;
    /// TLS handshakes that failed.
    ssl_error = "ssl.connection_error" false;
}

group! {
    /// `http.<stat_prefix>.*`
    HttpStats, "http", "envoy_http_conn_manager_prefix",
    /// Connections.
    cx_total = "downstream_cx_total" false;
    /// Connections that broke the protocol.
    cx_protocol_error = "downstream_cx_protocol_error" false;
    /// HTTP/2 connections that sent too many PING, SETTINGS and PRIORITY frames.
    h2_control_flood = "http2.inbound_control_frames_flood" false;
    /// HTTP/2 connections that reset too many of their streams.
    h2_reset_flood = "http2.inbound_reset_flood" false;
    /// HTTP/2 connections that sent too many CONTINUATION frames, or made us keep or reset too much.
    h2_too_much = "http2.enhance_your_calm" false;
    /// HTTP/2 streams whose head must not be forwarded.
    h2_bad_head = "http2.rx_messaging_error" false;
    /// Requests in which nothing moved for too long.
    rq_idle_timeout = "downstream_rq_idle_timeout" false;
    /// Requests.
    rq_total = "downstream_rq_total" false;
    /// 1xx answers.
    rq_1xx = "downstream_rq_1xx" false;
    /// 2xx answers.
    rq_2xx = "downstream_rq_2xx" false;
    /// 3xx answers.
    rq_3xx = "downstream_rq_3xx" false;
    /// 4xx answers.
    rq_4xx = "downstream_rq_4xx" false;
    /// 5xx answers.
    rq_5xx = "downstream_rq_5xx" false;
    /// Requests whose client went away.
    rq_rx_reset = "downstream_rq_rx_reset" false;
    /// Requests that timed out.
    rq_timeout = "downstream_rq_timeout" false;
    /// Requests without a route.
    no_route = "no_route" false;
    /// Requests whose route names no cluster.
    no_cluster = "no_cluster" false;
    /// Requests that RBAC let pass.
    rbac_allowed = "rbac.allowed" false;
    /// Requests that RBAC refused.
    rbac_denied = "rbac.denied" false;
    /// Requests that shadow rules would let pass.
    rbac_shadow_allowed = "rbac.shadow_allowed" false;
    /// Requests that shadow rules would refuse.
    rbac_shadow_denied = "rbac.shadow_denied" false;
    /// Copies for a mirror that were not sent: no cluster, or a body too long to keep.
    mirror_dropped = "rq_mirror_dropped" false;
    /// Requests that were delayed on purpose.
    delays_injected = "fault.delays_injected" false;
    /// Requests that were aborted on purpose.
    aborts_injected = "fault.aborts_injected" false;
    /// Cross-origin requests of an origin that is allowed.
    cors_origin_valid = "cors.origin_valid" false;
    /// Cross-origin requests of another origin.
    cors_origin_invalid = "cors.origin_invalid" false;
    /// Requests for which the local rate limit had a token.
    rate_limit_ok = "http_local_rate_limit.ok" false;
    /// Requests for which it had none.
    rate_limited = "http_local_rate_limit.rate_limited" false;
}

group! {
    /// `tcp.<stat_prefix>.*`
    TcpStats, "tcp", "envoy_tcp_prefix",
    /// Connections.
    cx_total = "downstream_cx_total" false;
    /// Bytes from clients.
    cx_rx_bytes = "downstream_cx_rx_bytes_total" false;
    /// Bytes to clients.
    cx_tx_bytes = "downstream_cx_tx_bytes_total" false;
    /// Connections without a cluster.
    no_route = "downstream_cx_no_route" false;
    /// Connections that were idle for too long.
    idle_timeout = "idle_timeout" false;
    /// Connections that RBAC let pass.
    rbac_allowed = "rbac.allowed" false;
    /// Connections that RBAC refused.
    rbac_denied = "rbac.denied" false;
    /// Connections that shadow rules would let pass.
    rbac_shadow_allowed = "rbac.shadow_allowed" false;
    /// Connections that shadow rules would refuse.
    rbac_shadow_denied = "rbac.shadow_denied" false;
}

/// Picks the counter of a status class; `$stats` has fields `rq_1xx` to `rq_5xx`.
macro_rules! by_class {
    ($stats:expr, $code:expr) => {
        match $code / 100 {
            1 => &$stats.rq_1xx,
            2 => &$stats.rq_2xx,
            3 => &$stats.rq_3xx,
            4 => &$stats.rq_4xx,
            _ => &$stats.rq_5xx,
        }
    };
}

/// Increments `$count` if the set holds the flag.
macro_rules! if_flagged {
    ($stats:expr, $flags:expr, $($flag:ident => $count:ident,)*) => {
        $(if $flags.has(Flag::$flag) {
            $stats.$count.increment();
        })*
    };
}

impl ClusterStats {
    /// Counts a request that ended with `code` and `flags` after `tries`.
    pub fn finished(&self, code: u16, flags: Flags, tries: u32) {
        self.rq_total.increment();
        by_class!(self, code).increment();
        self.rq_retry.add(u64::from(tries.saturating_sub(1)));
        if_flagged!(self, flags,
            UpstreamRequestTimeout => rq_timeout,
            UpstreamRemoteReset => rq_rx_reset,
            UpstreamOverflow => rq_pending_overflow,
        );
    }
}

impl HttpStats {
    /// Counts a request that ended with `code` and `flags`.
    pub fn finished(&self, code: u16, flags: Flags) {
        self.rq_total.increment();
        by_class!(self, code).increment();
        if_flagged!(self, flags,
            DownstreamConnectionTermination => rq_rx_reset,
            UpstreamRequestTimeout => rq_timeout,
            StreamIdleTimeout => rq_idle_timeout,
            NoRouteFound => no_route,
            NoClusterFound => no_cluster,
            DownstreamProtocolError => cx_protocol_error,
        );
    }
}

/// One worker's groups of one kind, by tag.
#[derive(Debug)]
pub(super) struct Groups<G>(Mutex<HashMap<Arc<str>, Arc<G>>>);

impl<G> Default for Groups<G> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<G: Group> Groups<G> {
    pub(super) fn of(&self, tag: &Arc<str>) -> Arc<G> {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(groups.entry(Arc::clone(tag)).or_default())
    }
}

/// One kind of group over all workers: values by tag.
#[derive(Debug)]
pub(super) struct GroupSum<G> {
    sums: BTreeMap<Arc<str>, Vec<u64>>,
    kind: std::marker::PhantomData<G>,
}

impl<G: Group> GroupSum<G> {
    pub(super) fn of<'a>(groups: impl Iterator<Item = &'a Groups<G>>) -> Self
    where
        G: 'a,
    {
        let mut sums: BTreeMap<Arc<str>, Vec<u64>> = BTreeMap::new();
        for groups in groups {
            let groups = groups.0.lock().unwrap_or_else(PoisonError::into_inner);
            for (tag, group) in groups.iter() {
                let sum = sums
                    .entry(Arc::clone(tag))
                    .or_insert_with(|| vec![0; G::NAMES.len()]);
                for (sum, value) in sum.iter_mut().zip(group.values()) {
                    *sum = sum.wrapping_add(value);
                }
            }
        }
        Self {
            sums,
            kind: std::marker::PhantomData,
        }
    }

    /// Adds `scope.tag.name` lines.
    pub(super) fn list(&self, out: &mut BTreeMap<String, u64>) {
        for (tag, values) in &self.sums {
            for ((name, _), value) in G::NAMES.iter().zip(values) {
                out.insert(format!("{}.{tag}.{name}", G::SCOPE), *value);
            }
        }
    }

    /// Adds `envoy_*` families.
    pub(super) fn print(&self, page: &mut Page) {
        let mut families: BTreeMap<String, (bool, Vec<(String, u64)>)> = BTreeMap::new();
        for (at, (name, gauge)) in G::NAMES.iter().enumerate() {
            let (name, class) = without_class(name);
            let name = format!("envoy_{}_{}", G::SCOPE, name.replace('.', "_"));
            let (_, series) = families.entry(name).or_insert((*gauge, Vec::new()));
            series.extend(self.sums.iter().map(|(tag, values)| {
                (
                    format!("{class}{}=\"{}\"", G::TAG, Escaped(tag)),
                    values[at],
                )
            }));
        }
        for (name, (gauge, series)) in families {
            page.numbers(
                &name,
                if gauge { "gauge" } else { "counter" },
                series.into_iter(),
            );
        }
    }
}

/// `upstream_rq_2xx` is `upstream_rq_xx` with a label in Prometheus.
fn without_class(name: &str) -> (String, String) {
    let class = name
        .strip_suffix("xx")
        .and_then(|rest| rest.split_at_checked(rest.len() - 1));
    match class {
        Some((stem, class)) => (
            format!("{stem}xx"),
            format!("envoy_response_code_class=\"{class}\","),
        ),
        None => (name.to_owned(), String::new()),
    }
}
