//! A cluster as one worker uses it.

use super::host::Host;
use super::limits::Permit;
use super::state::ClusterState;
use crate::config::{Cluster, Discovery, Endpoint};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

/// A cluster with this worker's hosts.
#[derive(Debug)]
pub struct Upstream {
    /// Its configuration.
    pub config: Arc<Cluster>,
    shared: Arc<ClusterState>,
    hosts: RefCell<HashMap<SocketAddr, Rc<Host>>>,
    turn: Cell<usize>,
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
    /// The cluster `config` with no state of its own yet.
    pub fn new(config: Arc<Cluster>, shared: Arc<ClusterState>) -> Self {
        Self {
            config,
            shared,
            hosts: RefCell::default(),
            turn: Cell::default(),
        }
    }

    /// Chooses a host.
    ///
    /// # Errors
    /// [`NoHost`] if there is none to choose.
    pub fn choose(&self, pick: &Pick<'_>) -> Result<Rc<Host>, NoHost> {
        let localities = match &self.config.discovery {
            Discovery::OriginalDst => {
                let address = pick.original_dst.ok_or(NoHost::NoOriginalDestination)?;
                return Ok(self.host(&Arc::new(Endpoint::at(address))));
            }
            Discovery::Static(localities) | Discovery::Eds(localities) => localities,
            Discovery::StrictDns(_) | Discovery::LogicalDns(_) => return Err(NoHost::Empty),
        };
        let all: Vec<_> = localities
            .iter()
            .flat_map(|locality| &locality.endpoints)
            .collect();
        let fresh = |endpoint: &&&Arc<Endpoint>| !pick.tried.contains(&endpoint.address);
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let at = turn.checked_rem(all.len()).ok_or(NoHost::Empty)?;
        let chosen = all
            .iter()
            .skip(at)
            .find(fresh)
            .or(all.get(at))
            .ok_or(NoHost::Empty)?;
        Ok(self.host(chosen))
    }

    fn host(&self, endpoint: &Arc<Endpoint>) -> Rc<Host> {
        let mut hosts = self.hosts.borrow_mut();
        let made = || Rc::new(Host::new(Arc::clone(endpoint), &self.config, &self.shared));
        Rc::clone(hosts.entry(endpoint.address).or_insert_with(made))
    }

    /// A permit for one more connection; `None` means overflow (`UO`).
    pub fn connection_permit(&self) -> Option<Permit> {
        Permit::take(
            &self.shared.counters.connections,
            self.config.limits.connections,
        )
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
        Permit::take(&self.shared.counters.retries, self.config.limits.retries)
    }
}
