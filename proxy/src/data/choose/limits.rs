//! Circuit breakers: counted permits, shared by all workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Counts of one cluster over all workers. Source: Envoy `ResourceManager`.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections.
    pub connections: Arc<AtomicU32>,
    /// Requests that wait for a connection.
    pub pending: Arc<AtomicU32>,
    /// Requests in flight.
    pub requests: Arc<AtomicU32>,
    /// Retries in flight.
    pub retries: Arc<AtomicU32>,
}

/// The right to one more of something; given back when dropped.
#[derive(Debug)]
pub struct Permit(Option<Arc<AtomicU32>>);

impl Permit {
    /// One of `limit`, or `None` when all are taken. Without a limit nothing is counted.
    pub fn take(counter: &Arc<AtomicU32>, limit: u32) -> Option<Self> {
        if limit == u32::MAX {
            return Some(Self(None));
        }
        let step = |taken: u32| (taken < limit).then_some(taken + 1);
        counter
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, step)
            .ok()
            .map(|_| Self(Some(Arc::clone(counter))))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(counter) = &self.0 {
            counter.fetch_sub(1, Ordering::Relaxed);
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
