//! One endpoint as one worker uses it.

use super::state::{ClusterState, HostState};
use crate::config::{Cluster, Endpoint};
use crate::data::http::pool::HostPool;
use crate::data::report::Workload;
use std::cell::{Cell, OnceCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

/// An endpoint with this worker's connections to it.
///
/// It outlives changes of the cluster that keep its address and settings. When it leaves the
/// cluster its pool is dropped with the last user.
#[derive(Debug)]
pub struct Host {
    /// What discovery says of it.
    pub endpoint: Arc<Endpoint>,
    /// This worker's connections to it.
    pub pool: HostPool,
    /// Its health, shared by all workers.
    pub state: Arc<HostState>,
    pub(super) cluster: Arc<Cluster>,
    pub(super) shared: Arc<ClusterState>,
    active: Cell<u32>,
    workload: OnceCell<Option<Arc<Workload>>>,
}

/// How a request or connection ended, for outlier detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream answered with this status (gRPC errors mapped to HTTP).
    Status(u16),
    /// A TCP connection was made, and nothing is known of what it carried.
    Connected,
    /// No connection could be made.
    ConnectFailed,
    /// The connection ended before the answer was complete.
    Reset,
    /// No answer in time.
    Timeout,
}

/// A request or connection in flight; least-request balancing counts it until it is dropped.
#[derive(Debug)]
pub struct InFlight(Rc<Host>);

impl Host {
    pub(super) fn new(
        endpoint: Arc<Endpoint>,
        cluster: &Arc<Cluster>,
        shared: &Arc<ClusterState>,
    ) -> Self {
        Self {
            state: shared.host(endpoint.address),
            pool: HostPool::default(),
            cluster: Arc::clone(cluster),
            shared: Arc::clone(shared),
            active: Cell::new(0),
            workload: OnceCell::new(),
            endpoint,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.endpoint.address
    }

    /// The workload behind it as the control plane knows it; always at the same address.
    pub fn workload(&self) -> Option<&Arc<Workload>> {
        let read = || {
            self.endpoint
                .workload
                .as_deref()
                .map(Workload::from_endpoint)
                .map(Arc::new)
        };
        self.workload.get_or_init(read).as_ref()
    }

    /// Requests and TCP connections of this worker in flight.
    pub fn active(&self) -> u32 {
        self.active.get()
    }

    /// Counts one more request or TCP connection in flight.
    pub fn begin(self: &Rc<Self>) -> InFlight {
        self.active.set(self.active.get() + 1);
        InFlight(Rc::clone(self))
    }

    /// Tells outlier detection how something ended.
    pub fn report(&self, outcome: Outcome) {
        if let Some(settings) = &self.cluster.outlier {
            super::outlier::report(settings, &self.shared, &self.state, outcome);
        }
    }
}

impl InFlight {
    /// The host that it counts for.
    pub fn host(&self) -> &Rc<Host> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get() - 1);
    }
}
