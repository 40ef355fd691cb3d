//! One worker: a thread's own view of the configuration and its upstreams.

use super::choose::Upstreams;
use super::choose::state::Registry;
use super::drain::{Drain, DrainSender};
use super::http::shared::Shared;
use super::listen::Listeners;
use super::report::Recorder;
use super::secrets::Secrets;
use super::tls::Configs;
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
    pub report: Rc<Recorder>,
    /// What its HTTP connections share.
    pub http: Shared,
    /// TLS configurations in use.
    pub tls: Configs,
    listeners: RefCell<Rc<Listeners>>,
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
        let report = Rc::new(Recorder::new(
            Arc::clone(&registry.metrics),
            Arc::clone(&secrets),
        ));
        Rc::new(Self {
            http: Shared::default(),
            upstreams: Upstreams::new(Arc::clone(&config), registry, Rc::clone(&report)),
            report,
            tls: Configs::default(),
            secrets,
            listeners: RefCell::new(Rc::new(Listeners::next(&config, &Listeners::default()).0)),
            config: RefCell::new(config),
            drain,
        })
    }

    /// The configuration that this worker obeys now.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.borrow())
    }

    /// The listeners of the configuration.
    pub fn listeners(&self) -> Rc<Listeners> {
        Rc::clone(&self.listeners.borrow())
    }

    /// Obeys `config` from now on. Requests that are under way keep what they have; connections of
    /// chains that are gone are in the answer and must drain.
    pub fn apply(&self, config: &Arc<Config>) -> Vec<Rc<DrainSender>> {
        self.upstreams.apply(config);
        self.tls.forget();
        self.report.forget();
        *self.config.borrow_mut() = Arc::clone(config);
        let (next, gone) = Listeners::next(config, &self.listeners());
        *self.listeners.borrow_mut() = Rc::new(next);
        gone
    }

    /// Whether the whole proxy is on its way out.
    pub fn draining(&self) -> bool {
        self.drain.draining()
    }
}
