//! Choosing an endpoint: a cluster name and a request become one host, or a reason why not.
//!
//! Hosts, balancers and pools belong to one worker. What must be true for the whole proxy (circuit
//! breakers, health) is in [`state`] and shared by atomics. Nothing here does I/O but [`state`]'s
//! writers: health checks and DNS, which one worker runs for all.

mod host;
mod limits;
mod outlier;
pub mod state;
mod upstream;

pub use host::{Host, InFlight, Outcome};
pub use limits::Permit;
pub use upstream::{NoHost, Pick, Upstream};

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
    config: RefCell<Arc<Config>>,
    made: RefCell<HashMap<Arc<str>, Rc<Upstream>>>,
}

impl Upstreams {
    /// The clusters of `config`.
    pub fn new(config: Arc<Config>, registry: Arc<Registry>) -> Self {
        Self {
            registry,
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
        let upstream = Rc::new(Upstream::new(cluster, self.registry.cluster(&name)));
        self.made.borrow_mut().insert(name, Rc::clone(&upstream));
        Some(upstream)
    }
}
