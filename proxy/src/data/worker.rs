//! One worker: a thread's own view of the configuration and its upstreams.

use super::choose::Upstreams;
use super::choose::state::Registry;
use super::drain::Drain;
use super::report::Recorder;
use super::secrets::Secrets;
use crate::config::Config;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// What every connection of one thread can reach. Used as `Rc<Worker>`, never across threads.
#[derive(Debug)]
pub struct Worker {
    /// Its clusters.
    pub upstreams: Upstreams,
    /// The workload's certificate.
    pub secrets: Arc<Secrets>,
    /// Its counters and logs.
    pub report: Recorder,
    /// What its HTTP connections share.
    pub http: super::http::shared::Shared,
    config: RefCell<Arc<Config>>,
    drain: Drain,
}

impl Worker {
    /// A worker that obeys `config`.
    pub fn new(
        config: Arc<Config>,
        secrets: Arc<Secrets>,
        registry: Arc<Registry>,
        drain: Drain,
    ) -> Rc<Self> {
        let report = Recorder::new(Arc::clone(&registry.metrics), Arc::clone(&secrets));
        Rc::new(Self {
            http: super::http::shared::Shared::default(),
            report,
            upstreams: Upstreams::new(Arc::clone(&config), registry),
            secrets,
            config: RefCell::new(config),
            drain,
        })
    }

    /// The configuration that this worker obeys now.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.borrow())
    }

    /// Whether the whole proxy is on its way out.
    pub fn draining(&self) -> bool {
        self.drain.draining()
    }
}
