//! A histogram of durations, as Prometheus reads it.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds in seconds, from one quiet debounce to a stuck mesh.
const BOUNDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Counts durations by size; observing takes no lock.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS.len()],
    count: AtomicU64,
    micros: AtomicU64,
}

impl Histogram {
    /// Counts one duration.
    pub fn observe(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        if let Some(at) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.buckets[at].fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Appends the series `name` in Prometheus' text format.
    pub fn write(&self, text: &mut String, name: &str, help: &str) {
        let mut below = 0;
        let mut lines = format!("# HELP {name} {help}\n# TYPE {name} histogram\n");
        let mut line = |label: &str, value: String| {
            writeln!(lines, "{name}{label} {value}").expect("writing to a String cannot fail");
        };
        for (bound, bucket) in BOUNDS.iter().zip(&self.buckets) {
            below += bucket.load(Ordering::Relaxed);
            line(&format!("_bucket{{le=\"{bound}\"}}"), below.to_string());
        }
        let count = self.count.load(Ordering::Relaxed).to_string();
        let sum = Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64();
        line("_bucket{le=\"+Inf\"}", count.clone());
        line("_sum", sum.to_string());
        line("_count", count);
        text.push_str(&lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_counts_all_that_is_not_longer() {
        let histogram = Histogram::default();
        for millis in [1, 20, 60_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let mut text = String::new();
        histogram.write(&mut text, "x_seconds", "Help.");
        for line in [
            "x_seconds_bucket{le=\"0.005\"} 1",
            "x_seconds_bucket{le=\"30\"} 2",
            "x_seconds_bucket{le=\"+Inf\"} 3",
            "x_seconds_sum 60.021",
            "x_seconds_count 3",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
    }
}
