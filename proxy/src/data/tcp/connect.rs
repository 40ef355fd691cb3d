//! An upstream for one TCP connection: which cluster, which host, how often it is tried.

use super::source_hash;
use crate::config::TcpProxy;
use crate::data::choose::{InFlight, Outcome, Permit, Pick, Upstream};
use crate::data::conn::ConnInfo;
use crate::data::dial::{self, Dialled, Offer};
use crate::data::report::{Flag, Flags};
use crate::data::worker::Worker;
use rand::Rng;
use std::net::SocketAddr;
use std::rc::Rc;

/// How often chance may find a host that was not tried.
const REDRAWS: u32 = 5;

/// A connection to an upstream.
#[derive(Debug)]
pub struct Connected {
    pub(super) upstream: Rc<Upstream>,
    pub(super) flight: InFlight,
    pub(super) dialled: Dialled,
    _permit: Permit,
}

/// Why there is none.
#[derive(Debug)]
pub struct Failed {
    pub(super) flags: Flags,
    /// `None` if there is no such cluster.
    pub(super) upstream: Option<Rc<Upstream>>,
    pub(super) host: Option<SocketAddr>,
    pub(super) reason: String,
}

impl Connected {
    /// Waits until the upstream has sent something or ended. Cancel-safe.
    pub async fn readable(&self) {
        // A socket that cannot be watched is found out by reading.
        let _ = self.dialled.stream.socket().readable().await;
    }
}

/// Connects as `proxy` says.
///
/// # Errors
/// [`Failed`], with the flags of the access log.
pub async fn connect(
    proxy: &TcpProxy,
    info: &ConnInfo,
    worker: &Worker,
) -> Result<Connected, Failed> {
    let name = cluster(&proxy.clusters);
    let failed = |flag: Flag, upstream| Failed {
        flags: flag.into(),
        upstream,
        host: None,
        reason: String::new(),
    };
    let Some(upstream) = worker.upstreams.get(name) else {
        return Err(failed(Flag::NoClusterFound, None));
    };
    let Some(permit) = upstream.connection_permit() else {
        return Err(failed(Flag::UpstreamOverflow, Some(upstream)));
    };
    upstream.ready().await;
    let mut tried = Vec::new();
    let mut last = failed(Flag::NoHealthyUpstream, Some(Rc::clone(&upstream)));
    for _ in 0..proxy.max_connect_attempts.max(1) {
        let pick = Pick {
            hash: proxy.hash_source_ip.then(|| source_hash(info.remote)),
            original_dst: info.redirected.then_some(info.local),
            tried: &tried,
            redraws: REDRAWS,
            leave_priorities_after: None,
        };
        let Ok(host) = upstream.choose(&pick) else {
            return Err(last);
        };
        match dial::connect(worker, &upstream, &host, Offer::Tcp, None).await {
            Ok(dialled) => {
                host.report(Outcome::Connected);
                let flight = host.begin();
                return Ok(Connected {
                    upstream,
                    flight,
                    dialled,
                    _permit: permit,
                });
            }
            Err(error) => {
                host.report(Outcome::ConnectFailed);
                tracing::debug!(%error, "upstream not connected");
                tried.push(host.address());
                last.flags = Flag::UpstreamConnectionFailure.into();
                last.host = Some(host.address());
                last.reason = error.to_string();
            }
        }
    }
    if tried.len() > 1 {
        last.flags.add(Flag::UpstreamRetryLimitExceeded);
    }
    Err(last)
}

/// One of the clusters, by weight.
fn cluster(clusters: &[(std::sync::Arc<str>, u32)]) -> &str {
    let [(only, _)] = clusters else {
        let total: u32 = clusters.iter().map(|(_, weight)| weight).sum();
        let mut point = rand::rng().random_range(0..total.max(1));
        let found = clusters.iter().find(|(_, weight)| {
            let here = point < *weight;
            point = point.saturating_sub(*weight);
            here
        });
        return found.map_or("", |(name, _)| name);
    };
    only
}
