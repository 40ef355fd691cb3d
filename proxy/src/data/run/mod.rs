//! The workers of the proxy: threads that accept and serve, told what to do by one handle.
//!
//! In flow configurations and the wish to end; out flow whether every listener is bound and how many
//! connections are open.

mod thread;

use super::choose::state::Registry;
use super::drain::{DrainSender, Phase};
use super::secrets::Secrets;
use crate::config::Config;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// What workers obey.
#[derive(Clone, Debug)]
struct Order {
    config: Arc<Config>,
    phase: Phase,
    accepting: bool,
}

/// What workers tell.
#[derive(Debug, Default)]
struct Status {
    connections: AtomicUsize,
    quiet: Notify,
    /// One for each worker: it serves the first configuration with every listener bound.
    bound: Vec<AtomicBool>,
}

/// One connection that is counted until this is dropped.
#[derive(Debug)]
struct Counted(Arc<Status>);

impl Counted {
    fn new(status: &Arc<Status>) -> Self {
        status.connections.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(status))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.connections.fetch_sub(1, Ordering::Release) == 1 {
            self.0.quiet.notify_waiters();
        }
    }
}

/// The running workers. Dropping it stops them without waiting.
#[derive(Debug)]
pub struct Workers {
    orders: watch::Sender<Order>,
    drain: DrainSender,
    status: Arc<Status>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts `count` workers with `config`.
    ///
    /// # Errors
    /// What the system says when it gives no thread or no event queue.
    pub fn start(
        count: usize,
        config: Arc<Config>,
        secrets: &Arc<Secrets>,
        registry: &Arc<Registry>,
    ) -> io::Result<Self> {
        let (orders, _) = watch::channel(Order {
            config,
            phase: Phase::Running,
            accepting: true,
        });
        let drain = DrainSender::new();
        let bound = (0..count.max(1)).map(|_| AtomicBool::new(false)).collect();
        let status = Arc::new(Status {
            bound,
            ..Status::default()
        });
        let mut threads = Vec::new();
        for index in 0..status.bound.len() {
            let seat = thread::Seat {
                index,
                orders: orders.subscribe(),
                secrets: Arc::clone(secrets),
                registry: Arc::clone(registry),
                drain: drain.subscribe(),
                status: Arc::clone(&status),
            };
            threads.push(seat.start()?);
        }
        Ok(Self {
            orders,
            drain,
            status,
            threads,
        })
    }

    /// Obeys `config` from now on: unchanged listeners and chains are not touched, connections of
    /// changed ones drain.
    pub fn apply(&self, config: Arc<Config>) {
        self.orders.send_modify(|order| order.config = config);
    }

    /// Whether every worker has every listener of its configuration bound.
    pub fn bound(&self) -> bool {
        self.status
            .bound
            .iter()
            .all(|bound| bound.load(Ordering::Acquire))
    }

    /// Open downstream connections.
    pub fn connections(&self) -> usize {
        self.status.connections.load(Ordering::Acquire)
    }

    /// Moves every connection on: [`Phase::Draining`] lets clients know, [`Phase::Stopped`] ends
    /// them.
    pub fn advance(&self, phase: Phase) {
        self.drain.advance(phase);
        self.orders
            .send_modify(|order| order.phase = order.phase.max(phase));
    }

    /// Closes every listener.
    pub fn stop_accepting(&self) {
        self.orders.send_modify(|order| order.accepting = false);
    }

    /// Waits until no connection is open. Cancel-safe.
    pub async fn quiet(&self) {
        loop {
            let quiet = self.status.quiet.notified();
            if self.connections() == 0 {
                return;
            }
            quiet.await;
        }
    }

    /// Ends gracefully: says so to clients, goes on accepting for `minimum`, because not everybody
    /// knows at once that this pod is gone, then waits for open connections, `limit` in all.
    pub async fn shut_down(self, minimum: Duration, limit: Duration) {
        self.advance(Phase::Draining);
        tokio::time::sleep(minimum.min(limit)).await;
        self.stop_accepting();
        // What is still open then is cut.
        let _ = tokio::time::timeout(limit.saturating_sub(minimum), self.quiet()).await;
        self.advance(Phase::Stopped);
        let Self {
            orders, threads, ..
        } = self;
        drop(orders);
        let joined = tokio::task::spawn_blocking(move || {
            threads.into_iter().map(JoinHandle::join).all(|t| t.is_ok())
        });
        if !joined.await.is_ok_and(|clean| clean) {
            tracing::warn!("a worker panicked");
        }
    }
}

#[cfg(test)]
mod tests;
