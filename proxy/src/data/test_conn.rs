//! Small values for tests: a connection and its listener, a cluster.

use super::conn::ConnInfo;
use super::drain::DrainSender;
use crate::config::{
    ChainMatch, Cluster, Direction, Discovery, Endpoint, FilterChain, Limits, Listener,
    LoadBalancing, TcpProxy, Terminal, UpstreamProtocol,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A plaintext inbound connection from `remote` to `local`.
pub(crate) fn inbound(remote: &str, local: &str) -> ConnInfo {
    let listener = listener(Vec::new());
    ConnInfo {
        remote: remote.parse().unwrap(),
        local: local.parse().unwrap(),
        redirected: true,
        sni: None,
        alpn: None,
        tls: None,
        peer: None,
        listener: Arc::new(Listener {
            direction: Direction::Inbound,
            ..listener
        }),
        chain: Arc::new(chain("", ChainMatch::default())),
        started: Instant::now(),
        drain: DrainSender::new().subscribe(),
    }
}

/// A chain that proxies to the cluster `tcp`.
pub(crate) fn chain(name: &str, matches: ChainMatch) -> FilterChain {
    FilterChain {
        name: name.into(),
        matches,
        tls: None,
        filters: Vec::new(),
        terminal: Terminal::Tcp(Arc::new(TcpProxy {
            stat_prefix: "tcp".into(),
            clusters: vec![("tcp".into(), 1)],
            idle_timeout: None,
            max_connect_attempts: 1,
            hash_source_ip: false,
            access_log: Vec::new(),
        })),
    }
}

/// A listener on an ephemeral port with nothing switched on.
pub(crate) fn listener(filter_chains: Vec<Arc<FilterChain>>) -> Listener {
    Listener {
        name: "test".into(),
        address: "127.0.0.1:0".parse().unwrap(),
        additional_addresses: Vec::new(),
        bind: true,
        use_original_dst: false,
        original_dst: false,
        direction: Direction::Unspecified,
        tls_inspector: false,
        http_inspector: false,
        detect_timeout: Duration::ZERO,
        continue_on_timeout: false,
        filter_chains,
        default_filter_chain: None,
        access_log: Vec::new(),
    }
}

/// A cluster without endpoints.
pub(crate) fn cluster(name: &str) -> Cluster {
    Cluster {
        name: name.into(),
        discovery: Discovery::Static(Arc::default()),
        lb: LoadBalancing::default(),
        connect_timeout: Duration::from_secs(5),
        tls_matches: Vec::new(),
        tls: None,
        protocol: UpstreamProtocol::default(),
        limits: Limits::default(),
        outlier: None,
        health_checks: Vec::new(),
        panic_threshold: 50.0,
        idle_timeout: None,
        max_requests_per_connection: 0,
        bind_source: None,
        keepalive: None,
        service: None,
        external: false,
    }
}

/// A healthy endpoint without labels.
pub(crate) fn endpoint(address: &str) -> Endpoint {
    Endpoint::at(address.parse().unwrap())
}
