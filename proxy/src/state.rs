//! What health and admin ask about the running proxy.

use crate::config::Config;
use crate::data::report::Metrics;
use crate::data::run::Workers;
use crate::data::secrets::Secrets;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::{Notify, watch};

/// Why the proxy is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// It is on its way out.
    #[error("draining")]
    Draining,
    /// Somebody asked for it over admin.
    #[error("failed by the admin interface")]
    Failed,
    /// No certificate yet, or none any more.
    #[error("no certificate; is the control plane reachable?")]
    NoCertificate,
    /// Nothing to obey yet.
    #[error("no configuration; is the control plane reachable?")]
    NoConfiguration,
    /// A listener has no socket.
    #[error("listeners are not bound yet")]
    NotBound,
}

/// The running proxy. Locks here are never taken on the path of a request.
#[derive(Debug)]
pub struct State {
    /// All numbers.
    pub metrics: Arc<Metrics>,
    /// The workload's certificate.
    pub secrets: Arc<Secrets>,
    /// The configuration in force; `None` before the first.
    pub config: watch::Receiver<Option<Arc<Config>>>,
    /// When the proxy started.
    pub started: Instant,
    /// A person asked the proxy to end.
    pub quit: Notify,
    needs_certificate: bool,
    workers: Mutex<Option<Workers>>,
    draining: AtomicBool,
    failed: AtomicBool,
}

impl State {
    /// A proxy without workers yet. One that runs from a file needs no certificate of the mesh.
    pub fn new(
        metrics: Arc<Metrics>,
        secrets: Arc<Secrets>,
        config: watch::Receiver<Option<Arc<Config>>>,
        needs_certificate: bool,
    ) -> Self {
        Self {
            metrics,
            secrets,
            config,
            started: Instant::now(),
            quit: Notify::new(),
            needs_certificate,
            workers: Mutex::new(None),
            draining: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        }
    }

    /// Whether traffic may come: captured listeners bound, certified and configured.
    ///
    /// # Errors
    /// What is missing.
    pub fn ready(&self) -> Result<(), NotReady> {
        if self.draining.load(Ordering::Acquire) {
            return Err(NotReady::Draining);
        }
        if self.failed.load(Ordering::Acquire) {
            return Err(NotReady::Failed);
        }
        if self.needs_certificate && self.secrets.current().is_none() {
            return Err(NotReady::NoCertificate);
        }
        match &*self.workers() {
            None => Err(NotReady::NoConfiguration),
            Some(workers) if workers.bound() => Ok(()),
            Some(_) => Err(NotReady::NotBound),
        }
    }

    /// Makes readiness fail, or not, because a person wants it.
    pub fn fail(&self, failed: bool) {
        self.failed.store(failed, Ordering::Release);
    }

    /// Makes readiness fail for good and hands out the workers to be ended.
    pub fn begin_drain(&self) -> Option<Workers> {
        self.draining.store(true, Ordering::Release);
        self.workers().take()
    }

    /// Whether the proxy is on its way out.
    pub fn draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Hands `config` to the workers, which `start` makes the first time.
    ///
    /// # Errors
    /// What the system says when it gives no thread.
    pub fn obey(
        &self,
        config: Arc<Config>,
        start: impl FnOnce(Arc<Config>) -> io::Result<Workers>,
    ) -> io::Result<()> {
        let mut workers = self.workers();
        match &*workers {
            Some(workers) => workers.apply(config),
            None if self.draining() => {}
            None => *workers = Some(start(config)?),
        }
        Ok(())
    }

    /// Open downstream connections.
    pub fn connections(&self) -> usize {
        self.workers().as_ref().map_or(0, Workers::connections)
    }

    fn workers(&self) -> MutexGuard<'_, Option<Workers>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
