//! A token bucket. Source: Envoy `type.v3.TokenBucket`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Tokens that come at a steady rate, up to a number.
///
/// The one part of the configuration that changes while it is in force: all workers share it, and
/// a changed configuration begins with a full bucket. It never locks.
#[derive(Debug)]
pub struct TokenBucket {
    size: u32,
    per_fill: u32,
    fill_interval: Duration,
    made: Instant,
    /// When the bucket will be full, in nanoseconds since `made`.
    full_at: AtomicU64,
}

/// What is in a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Whole tokens.
    pub tokens: u32,
    /// Until there is one more.
    pub next_fill: Duration,
}

impl PartialEq for TokenBucket {
    /// Whether the settings are the same, whatever is left.
    fn eq(&self, other: &Self) -> bool {
        let settings = |bucket: &Self| (bucket.size, bucket.per_fill, bucket.fill_interval);
        settings(self) == settings(other)
    }
}

impl TokenBucket {
    /// A full bucket of `size` that gets `per_fill` tokens each `fill_interval`, spread evenly.
    pub fn new(size: u32, per_fill: u32, fill_interval: Duration) -> Self {
        Self {
            size,
            per_fill: per_fill.max(1),
            fill_interval,
            made: Instant::now(),
            full_at: AtomicU64::new(0),
        }
    }

    /// How many tokens it holds at most.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Takes one token; false when there is none.
    pub fn take(&self) -> bool {
        let now = self.now();
        self.full_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
                self.after_one(full_at, now)
            })
            .is_ok()
    }

    /// What is left now.
    pub fn left(&self) -> Left {
        let missing = self
            .full_at
            .load(Ordering::Relaxed)
            .saturating_sub(self.now());
        let taken = missing.div_ceil(self.token());
        Left {
            tokens: u64::from(self.size).saturating_sub(taken) as u32,
            next_fill: Duration::from_nanos(missing % self.token()),
        }
    }

    /// When the bucket is full again if one more token is taken `now`; `None` if there is none.
    fn after_one(&self, full_at: u64, now: u64) -> Option<u64> {
        let next = full_at.max(now).saturating_add(self.token());
        let span = self.token().saturating_mul(self.size.into());
        (next - now <= span).then_some(next)
    }

    /// Nanoseconds in which one token comes.
    fn token(&self) -> u64 {
        let nanos = self.fill_interval.as_nanos() / u128::from(self.per_fill);
        u64::try_from(nanos).unwrap_or(u64::MAX).max(1)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_burst_empties_the_bucket_and_time_fills_it_up_to_its_size() {
        let bucket = TokenBucket::new(3, 2, Duration::from_secs(1));
        let mut full_at = 0;
        let mut taken_at = |now: u64| {
            let mut taken = 0;
            while let Some(next) = bucket.after_one(full_at, now) {
                full_at = next;
                taken += 1;
            }
            taken
        };
        assert_eq!(taken_at(0), 3);
        assert_eq!(taken_at(SECOND / 2 - 1), 0);
        assert_eq!(taken_at(SECOND / 2), 1);
        assert_eq!(taken_at(SECOND * 100), 3);
    }

    #[test]
    fn an_empty_bucket_gives_nothing() {
        assert!(!TokenBucket::new(0, 1, Duration::from_secs(1)).take());
    }
}
