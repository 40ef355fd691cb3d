//! What all workers know together about a cluster: its counts and the health of its hosts.

use super::limits::Counters;
use crate::config::Locality;
use crate::data::report::Metrics;
use arc_swap::ArcSwapOption;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::watch;

/// What all workers share: counters, and the state of every cluster in use. Locked on
/// reconciliation only, never for a request.
#[derive(Debug, Default)]
pub struct Registry {
    /// Counters and access logs.
    pub metrics: Arc<Metrics>,
    clusters: Mutex<HashMap<Arc<str>, Arc<ClusterState>>>,
}

impl Registry {
    /// A registry that counts into `metrics`.
    pub fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            metrics,
            ..Self::default()
        })
    }

    /// The state of the cluster `name`, made at its first use.
    pub fn cluster(&self, name: &Arc<str>) -> Arc<ClusterState> {
        Arc::clone(locked(&self.clusters).entry(Arc::clone(name)).or_default())
    }

    /// Forgets clusters that `keep` refuses.
    pub fn retain(&self, keep: impl Fn(&str) -> bool) {
        locked(&self.clusters).retain(|name, _| keep(name));
    }
}

/// One cluster over all workers.
#[derive(Debug, Default)]
pub struct ClusterState {
    /// What circuit breakers count.
    pub counters: Counters,
    /// The endpoints that DNS gave, for clusters that resolve names; `None` before an answer.
    pub resolved: ArcSwapOption<Vec<Locality>>,
    /// Whether DNS has been asked, with or without an answer.
    asked: watch::Sender<bool>,
    hosts: Mutex<HashMap<SocketAddr, Arc<HostState>>>,
    version: AtomicU64,
}

impl ClusterState {
    /// Advances whenever a host's health or the resolved endpoints change.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Notes that DNS has been asked for all names.
    pub fn asked(&self) {
        self.asked
            .send_if_modified(|asked| !std::mem::replace(asked, true));
    }

    /// Waits until DNS has been asked. A cluster that resolves nothing must not wait.
    pub async fn first_answer(&self) {
        // The sender is here, so that nothing can be missed.
        let _ = self.asked.subscribe().wait_for(|asked| *asked).await;
    }

    /// Tells every worker to look at health and endpoints again.
    pub fn changed(&self) {
        self.version.fetch_add(1, Ordering::Release);
    }

    /// The state of the host at `address`, made at its first use.
    pub fn host(&self, address: SocketAddr) -> Arc<HostState> {
        Arc::clone(
            locked(&self.hosts)
                .entry(address)
                .or_insert_with(|| Arc::new(HostState::new())),
        )
    }

    /// Every host with its address.
    pub fn hosts(&self) -> Vec<(SocketAddr, Arc<HostState>)> {
        locked(&self.hosts)
            .iter()
            .map(|(address, host)| (*address, Arc::clone(host)))
            .collect()
    }

    /// Forgets hosts that `keep` refuses.
    pub fn retain(&self, keep: impl Fn(&SocketAddr) -> bool) {
        locked(&self.hosts).retain(|address, _| keep(address));
    }
}

/// One host over all workers.
#[derive(Debug)]
pub struct HostState {
    /// When the cluster learned of it; slow start begins here.
    pub added: Instant,
    /// Ejected by outlier detection.
    pub ejected: AtomicBool,
    /// Failed its active health checks.
    pub failed_checks: AtomicBool,
    /// 5xx answers in a row (and local failures, unless they are split off).
    pub consecutive_5xx: AtomicU32,
    /// 502, 503, 504 and timeouts in a row.
    pub consecutive_gateway: AtomicU32,
    /// Local failures in a row, when split off.
    pub consecutive_local: AtomicU32,
    /// How often it was ejected lately: the multiplier of the ejection time.
    pub ejections: AtomicU32,
    /// Milliseconds from `added` to the last ejection.
    pub ejected_at_ms: AtomicU64,
}

impl HostState {
    fn new() -> Self {
        Self {
            added: Instant::now(),
            ejected: AtomicBool::new(false),
            failed_checks: AtomicBool::new(false),
            consecutive_5xx: AtomicU32::new(0),
            consecutive_gateway: AtomicU32::new(0),
            consecutive_local: AtomicU32::new(0),
            ejections: AtomicU32::new(0),
            ejected_at_ms: AtomicU64::new(0),
        }
    }

    /// Whether checks and outlier detection let it be used.
    pub fn usable(&self) -> bool {
        !self.ejected.load(Ordering::Relaxed) && !self.failed_checks.load(Ordering::Relaxed)
    }
}

/// No holder of these locks can panic half-way through a change.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
