//! Notices an object that somebody else changes back all the time.

use crate::object::Key;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Writes to one object within [`WINDOW`] that are still no fight.
const LIMIT: usize = 5;
/// Length of memory.
const WINDOW: Duration = Duration::from_secs(60);

/// Recent writes by object.
#[derive(Debug, Default)]
pub struct Pace {
    writes: Mutex<HashMap<Key, Vec<Instant>>>,
}

impl Pace {
    /// Whether one more write to `key` is no fight; it is remembered if so.
    pub fn admits(&self, key: &Key, now: Instant) -> bool {
        let mut writes = self
            .writes
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        writes.retain(|_, times| {
            times.retain(|time| now.duration_since(*time) < WINDOW);
            !times.is_empty()
        });
        let times = writes.entry(key.clone()).or_default();
        let admitted = times.len() < LIMIT;
        if admitted {
            times.push(now);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_write_within_a_minute_is_a_fight() {
        let key = Key {
            kind: "Service".into(),
            namespace: "a".into(),
            name: "b".into(),
        };
        let (pace, start) = (Pace::default(), Instant::now());
        for second in 0..5 {
            assert!(pace.admits(&key, start + Duration::from_secs(second)));
        }
        assert!(!pace.admits(&key, start + Duration::from_secs(6)));
        assert!(pace.admits(&key, start + Duration::from_secs(61)));
    }
}
