//! Numbers that one worker writes and anybody reads.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number with one writer: the worker that made it. Readers see it a moment late.
///
/// A plain load and store, because nobody else writes: no locked instruction on the request path.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `more`.
    pub fn add(&self, more: u64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(more),
            Ordering::Relaxed,
        );
    }

    /// Takes one away, for gauges.
    pub fn decrement(&self) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_sub(1),
            Ordering::Relaxed,
        );
    }

    /// The number now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of histogram buckets. Source: Envoy `ConstSupportedBuckets`, which Istio keeps.
pub(super) const BOUNDS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// How often values fell between two [`BOUNDS`], and their sum.
#[derive(Debug, Default)]
pub struct Histogram {
    /// One more than bounds: the last counts what is above all of them.
    buckets: [Count; BOUNDS.len() + 1],
    sum: Count,
}

impl Histogram {
    /// Counts one value.
    pub fn record(&self, value: u64) {
        #[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^52")]
        let bucket = BOUNDS.partition_point(|bound| *bound < value as f64);
        self.buckets[bucket].increment();
        self.sum.add(value);
    }
}

/// Histograms of several workers added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HistogramSum {
    pub(super) buckets: [u64; BOUNDS.len() + 1],
    pub(super) sum: u64,
}

impl HistogramSum {
    pub(super) fn add(&mut self, histogram: &Histogram) {
        for (total, bucket) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *total += bucket.value();
        }
        self.sum += histogram.sum.value();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        let histogram = Histogram::default();
        for value in [0, 1, 2, 5, 3_600_000, 3_600_001] {
            histogram.record(value);
        }
        let mut sum = HistogramSum::default();
        sum.add(&histogram);
        assert_eq!(sum.buckets[..4], [1, 1, 2, 0]);
        assert_eq!(sum.buckets[18..], [1, 1]);
        assert_eq!(sum.sum, 7_200_009);
    }
}
