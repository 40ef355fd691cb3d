//! Counters of the operator, in Prometheus' text form.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Everything that the operator counts.
#[derive(Debug, Default)]
pub struct Metrics {
    passes: AtomicU64,
    writes: AtomicU64,
    failures: Mutex<BTreeMap<&'static str, u64>>,
    leads: AtomicBool,
    evictions: AtomicU64,
    blown: AtomicBool,
    missed: AtomicU64,
}

impl Metrics {
    /// One pass has ended well, after `writes` writes.
    pub fn passed(&self, writes: usize) {
        self.passes.fetch_add(1, Relaxed);
        self.writes.fetch_add(writes as u64, Relaxed);
    }

    /// One pass has ended early.
    pub fn failed(&self, reason: &'static str) {
        let mut failures = self
            .failures
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *failures.entry(reason).or_default() += 1;
    }

    /// Whether this replica does the work.
    pub fn leads(&self, leads: bool) {
        self.leads.store(leads, Relaxed);
    }

    /// Whether pods start without sidecars, and how many have.
    pub fn injection(&self, blown: bool, missed: usize) {
        self.blown.store(blown, Relaxed);
        self.missed.store(missed as u64, Relaxed);
    }

    /// Pods were evicted.
    pub fn evicted(&self, pods: usize) {
        self.evictions.fetch_add(pods as u64, Relaxed);
    }

    /// All of it as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut add = |name: &str, kind: &str, help: &str, samples: &[(String, u64)]| {
            // Writing to a String cannot go wrong.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let plain = |value: u64| [(String::new(), value)];
        let failures = self
            .failures
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let by_reason: Vec<_> = failures
            .iter()
            .map(|(reason, n)| (format!("{{reason=\"{reason}\"}}"), *n))
            .collect();
        let passes = plain(self.passes.load(Relaxed));
        let writes = plain(self.writes.load(Relaxed));
        let leads = plain(u64::from(self.leads.load(Relaxed)));
        add(
            "weft_operator_reconciles_total",
            "counter",
            "Passes that ended well.",
            &passes,
        );
        add(
            "weft_operator_writes_total",
            "counter",
            "Objects written or deleted.",
            &writes,
        );
        add(
            "weft_operator_failures_total",
            "counter",
            "Passes that ended early.",
            &by_reason,
        );
        add(
            "weft_operator_leader",
            "gauge",
            "1 where this replica does the work.",
            &leads,
        );
        for (name, kind, help, value) in self.of_injection() {
            add(name, kind, help, &plain(value));
        }
        text
    }

    fn of_injection(&self) -> [(&'static str, &'static str, &'static str, u64); 3] {
        [
            (
                "weft_operator_evictions_total",
                "counter",
                "Pods evicted, so that others come in their place.",
                self.evictions.load(Relaxed),
            ),
            (
                "weft_operator_injection_fuse_blown",
                "gauge",
                "1 while pods start without sidecars because no injector answers.",
                u64::from(self.blown.load(Relaxed)),
            ),
            (
                "weft_operator_missed_pods",
                "gauge",
                "Pods that started without a sidecar in such a time and still have none.",
                self.missed.load(Relaxed),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_by_reason() {
        let metrics = Metrics::default();
        metrics.passed(3);
        metrics.failed("refused");
        metrics.failed("refused");
        let text = metrics.text();
        assert!(text.contains("\nweft_operator_writes_total 3\n"), "{text}");
        assert!(
            text.contains("weft_operator_failures_total{reason=\"refused\"} 2\n"),
            "{text}"
        );
    }
}
