//! Choosing an endpoint: a cluster name and a request become one host, or a reason why not.
//!
//! Hosts, balancers and pools belong to one worker. What must be true for the whole proxy (circuit
//! breakers, health) is in [`state`] and shared by atomics. Nothing here does I/O but [`state`]'s
//! writers: health checks and DNS, which one worker runs for all.

mod balance;
mod host;
mod hosts;
mod limits;
mod outlier;
mod priority;
pub mod state;
mod table;
pub mod upkeep;
mod upstream;

pub use host::{Host, InFlight, Outcome};
pub use limits::Permit;
pub use upstream::{NoHost, Pick, Upstream};

use super::report::Recorder;
use crate::config::Config;
use state::Registry;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// The clusters of one worker, each made at its first use.
#[derive(Debug)]
pub struct Upstreams {
    registry: Arc<Registry>,
    report: Rc<Recorder>,
    config: RefCell<Arc<Config>>,
    made: RefCell<HashMap<Arc<str>, Rc<Upstream>>>,
}

impl Upstreams {
    /// The clusters of `config`.
    pub fn new(config: Arc<Config>, registry: Arc<Registry>, report: Rc<Recorder>) -> Self {
        Self {
            registry,
            report,
            config: RefCell::new(config),
            made: RefCell::default(),
        }
    }

    /// The cluster `name`; `None` if the configuration has none (flag `NC`).
    pub fn get(&self, name: &str) -> Option<Rc<Upstream>> {
        if let Some(upstream) = self.made.borrow().get(name) {
            return Some(Rc::clone(upstream));
        }
        let cluster = Arc::clone(self.config.borrow().clusters.get(name)?);
        let name = Arc::clone(&cluster.name);
        let stats = self.report.cluster(&name);
        let upstream = Rc::new(Upstream::new(cluster, self.registry.cluster(&name), stats));
        self.made.borrow_mut().insert(name, Rc::clone(&upstream));
        Some(upstream)
    }

    /// Obeys `config` from now on. Unchanged clusters stay as they are; changed ones keep the hosts
    /// whose connections the change does not concern.
    pub fn apply(&self, config: &Arc<Config>) {
        *self.config.borrow_mut() = Arc::clone(config);
        let mut made = self.made.borrow_mut();
        made.retain(|name, upstream| match config.clusters.get(name) {
            None => false,
            Some(cluster) => {
                if !Arc::ptr_eq(cluster, &upstream.config) {
                    *upstream = Rc::new(upstream.changed(Arc::clone(cluster)));
                }
                true
            }
        });
    }
}
