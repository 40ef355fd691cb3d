//! A cluster as one worker uses it.

use super::host::Host;
use super::hosts::{HostSet, Known};
use super::limits::Permit;
use super::state::ClusterState;
use crate::config::{Cluster, Discovery, Endpoint, Locality};
use crate::data::report::ClusterStats;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::timeout;

/// `ORIGINAL_DST` hosts that are kept before those that nobody uses are forgotten.
const MOST_ORIGINAL: usize = 256;

/// A cluster with this worker's hosts.
#[derive(Debug)]
pub struct Upstream {
    /// Its configuration.
    pub config: Arc<Cluster>,
    /// `cluster.<name>.*` of this worker.
    pub stats: Arc<ClusterStats>,
    shared: Arc<ClusterState>,
    hosts: RefCell<Current>,
}

/// The hosts, and the version of the shared state that they were made from.
#[derive(Debug, Default)]
struct Current {
    version: Option<u64>,
    set: HostSet,
}

/// What a choice may depend on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pick<'a> {
    /// Hash of the request, for ring hash and maglev; random without one.
    pub hash: Option<u64>,
    /// Where the client wanted to go, for `ORIGINAL_DST`.
    pub original_dst: Option<SocketAddr>,
    /// Hosts that were tried already and are avoided if another one can be found.
    pub tried: &'a [SocketAddr],
    /// How often chance may find another one; after that the first that was not tried is taken.
    pub redraws: u32,
    /// Leave the priorities of tried hosts after each so many tries.
    pub leave_priorities_after: Option<u32>,
}

/// Why no host was chosen; flag `UH` in access logs, status 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoHost {
    /// The cluster has no endpoints, or none yet.
    #[error("no endpoints")]
    Empty,
    /// Every endpoint is unhealthy, and the panic threshold forbids using them.
    #[error("no healthy endpoint")]
    Unhealthy,
    /// `ORIGINAL_DST` for a connection that was not redirected.
    #[error("no original destination")]
    NoOriginalDestination,
}

impl Upstream {
    /// The cluster `config` with no hosts yet.
    pub fn new(config: Arc<Cluster>, shared: Arc<ClusterState>, stats: Arc<ClusterStats>) -> Self {
        Self {
            config,
            stats,
            shared,
            hosts: RefCell::default(),
        }
    }

    /// The cluster after a change of its configuration: hosts keep their connections unless these
    /// would now be made otherwise.
    pub(super) fn changed(&self, config: Arc<Cluster>) -> Self {
        let keep = connects_alike(&self.config, &config);
        let next = Self::new(config, Arc::clone(&self.shared), Arc::clone(&self.stats));
        if keep {
            let known = std::mem::take(&mut self.hosts.borrow_mut().set.known);
            self.hosts.borrow_mut().version = None;
            next.hosts.borrow_mut().set.known = known;
        }
        next
    }

    /// Waits for the first answer of DNS to a cluster that has just come, as long as connecting may
    /// take: traffic that was there before it should not fail for it.
    pub async fn ready(&self) {
        let by_name = match &self.config.discovery {
            Discovery::StrictDns(_) | Discovery::LogicalDns(_) => true,
            Discovery::Static(_) | Discovery::Eds(_) | Discovery::OriginalDst => false,
        };
        if by_name && self.shared.resolved.load().is_none() {
            // Boxed: every request would have room for what hardly one needs. What is not known by
            // then has no host.
            let first = Box::pin(self.shared.first_answer());
            let _ = Box::pin(timeout(self.config.connect_timeout, first)).await;
        }
    }

    /// Chooses a host.
    ///
    /// # Errors
    /// [`NoHost`] if there is none to choose.
    pub fn choose(&self, pick: &Pick<'_>) -> Result<Rc<Host>, NoHost> {
        let chosen = match self.config.discovery {
            Discovery::OriginalDst => self.original(pick),
            Discovery::Static(_)
            | Discovery::Eds(_)
            | Discovery::StrictDns(_)
            | Discovery::LogicalDns(_) => {
                self.refresh();
                self.hosts.borrow().set.choose(pick, &self.config)
            }
        };
        chosen.inspect_err(|_| self.stats.cx_none_healthy.increment())
    }

    /// Every host now.
    pub fn hosts(&self) -> Vec<Rc<Host>> {
        self.refresh();
        self.hosts.borrow().set.known.values().cloned().collect()
    }

    /// A permit for one more connection; `None` means overflow (`UO`).
    pub fn connection_permit(&self) -> Option<Permit> {
        let limit = self.config.limits.connections;
        let permit = Permit::take(&self.shared.counters.connections, limit);
        if permit.is_none() {
            self.stats.cx_overflow.increment();
        }
        permit
    }

    /// A connection beyond the limit: a host that has none would serve nobody. Source: Envoy `ConnPoolImplBase`.
    pub fn connection_beyond_limit(&self) -> Permit {
        Permit::beyond(&self.shared.counters.connections)
    }

    /// Ends when a connection of any host has ended since the last call.
    pub async fn connection_freed(&self) {
        self.shared.counters.connections.freed().await;
    }

    /// A permit for one more request that waits for a connection.
    pub fn pending_permit(&self) -> Option<Permit> {
        Permit::take(&self.shared.counters.pending, self.config.limits.pending)
    }

    /// A permit for one more request in flight.
    pub fn request_permit(&self) -> Option<Permit> {
        Permit::take(&self.shared.counters.requests, self.config.limits.requests)
    }

    /// A permit for one more retry in flight.
    pub fn retry_permit(&self) -> Option<Permit> {
        let limit = self.config.limits.retries;
        let permit = Permit::take(&self.shared.counters.retries, limit);
        if permit.is_none() {
            self.stats.rq_retry_overflow.increment();
        }
        permit
    }

    /// Makes the host set anew if endpoints or health have changed; one atomic load otherwise.
    fn refresh(&self) {
        let version = self.shared.version();
        let mut hosts = self.hosts.borrow_mut();
        if hosts.version == Some(version) {
            return;
        }
        let resolved;
        let localities: &[Locality] = match &self.config.discovery {
            Discovery::Static(endpoints) | Discovery::Eds(endpoints) => endpoints,
            Discovery::StrictDns(_) | Discovery::LogicalDns(_) => {
                resolved = self.shared.resolved.load_full();
                resolved.as_deref().map_or(&[], Vec::as_slice)
            }
            Discovery::OriginalDst => &[],
        };
        hosts.set = HostSet::new(localities, &hosts.set.known, &self.config, &self.shared);
        hosts.version = Some(version);
    }

    fn original(&self, pick: &Pick<'_>) -> Result<Rc<Host>, NoHost> {
        let address = pick.original_dst.ok_or(NoHost::NoOriginalDestination)?;
        let known = &mut self.hosts.borrow_mut().set.known;
        if let Some(host) = known.get(&address) {
            return Ok(Rc::clone(host));
        }
        if known.len() >= MOST_ORIGINAL {
            forget_unused(known);
            self.shared.retain(|address| known.contains_key(address));
        }
        let endpoint = Endpoint::at(address);
        let host = Rc::new(Host::new(Arc::new(endpoint), &self.config, &self.shared));
        known.insert(address, Rc::clone(&host));
        Ok(host)
    }
}

/// Hosts with a request in flight are held by it.
fn forget_unused(known: &mut Known) {
    known.retain(|_, host| Rc::strong_count(host) > 1);
}

/// Whether two configurations make the same connections: all but who the hosts are and which is
/// next.
fn connects_alike(before: &Cluster, after: &Cluster) -> bool {
    let after = Cluster {
        discovery: before.discovery.clone(),
        lb: before.lb,
        limits: before.limits,
        health_checks: before.health_checks.clone(),
        panic_threshold: before.panic_threshold,
        ..after.clone()
    };
    *before == after
}

#[cfg(test)]
#[path = "upstream_tests.rs"]
mod tests;
