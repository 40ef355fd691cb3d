//! Circuit breakers: counted permits, shared by all workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Notify;

/// Counts of one cluster over all workers. Source: Envoy `ResourceManager`.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections.
    pub connections: Arc<Counter>,
    /// Requests that wait for a connection.
    pub pending: Arc<Counter>,
    /// Requests in flight.
    pub requests: Arc<Counter>,
    /// Retries in flight.
    pub retries: Arc<Counter>,
}

/// How many permits of one kind are taken.
#[derive(Debug, Default)]
pub struct Counter {
    taken: AtomicU32,
    freed: Notify,
}

impl Counter {
    /// Ends when a permit has been given back since the last call; one waiter is told of each.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }
}

/// The right to one more of something; given back when dropped.
#[derive(Debug)]
pub struct Permit(Option<Arc<Counter>>);

impl Permit {
    /// One of `limit`, or `None` when all are taken. Without a limit nothing is counted.
    pub fn take(counter: &Arc<Counter>, limit: u32) -> Option<Self> {
        if limit == u32::MAX {
            return Some(Self(None));
        }
        let step = |taken: u32| (taken < limit).then_some(taken + 1);
        let taken = &counter.taken;
        taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, step)
            .ok()
            .map(|_| Self(Some(Arc::clone(counter))))
    }

    /// One beyond the limit.
    pub fn beyond(counter: &Arc<Counter>) -> Self {
        counter.taken.fetch_add(1, Ordering::Relaxed);
        Self(Some(Arc::clone(counter)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(counter) = &self.0 {
            counter.taken.fetch_sub(1, Ordering::Relaxed);
            counter.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_is_refused_at_the_limit_and_given_back_when_dropped() {
        let counter = Arc::default();
        let first = Permit::take(&counter, 1);
        assert!(first.is_some());
        assert!(Permit::take(&counter, 1).is_none());
        drop(first);
        assert!(Permit::take(&counter, 1).is_some());
    }
}
