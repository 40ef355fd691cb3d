//! What `/metrics` tells: reviews by result and reason, their time, whether the settings are valid.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Counters of one injector.
#[derive(Debug, Default)]
pub struct Metrics {
    /// (result, reason) → reviews. Reasons are codes of our enums, so that there are few.
    reviews: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    microseconds: AtomicU64,
    invalid_settings: AtomicBool,
}

impl Metrics {
    /// Counts one review.
    pub fn count(&self, labels: (&'static str, &'static str), time: Duration) {
        let mut reviews = self.reviews.lock().unwrap_or_else(PoisonError::into_inner);
        *reviews.entry(labels).or_default() += 1;
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(microseconds, Relaxed);
    }

    /// Whether the settings that were read last could be used.
    pub fn settings_are_valid(&self, valid: bool) {
        self.invalid_settings.store(!valid, Relaxed);
    }

    /// In Prometheus' text form.
    pub fn render(&self) -> String {
        let reviews = self.reviews.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::from(
            "# HELP weft_injection_total Pods reviewed, by result and reason.\n# TYPE weft_injection_total counter\n",
        );
        for ((result, reason), count) in reviews.iter() {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "weft_injection_total{{result=\"{result}\",reason=\"{reason}\"}} {count}"
            );
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "285 years of microseconds fit exactly"
        )]
        let seconds = self.microseconds.load(Relaxed) as f64 / 1e6;
        let _ = write!(
            text,
            "# HELP weft_injection_seconds Time spent on reviews.\n# TYPE weft_injection_seconds summary\nweft_injection_seconds_sum {seconds}\nweft_injection_seconds_count {}\n# HELP weft_injection_settings_valid Whether the settings read last are in use.\n# TYPE weft_injection_settings_valid gauge\nweft_injection_settings_valid {}\n",
            reviews.values().sum::<u64>(),
            u8::from(!self.invalid_settings.load(Relaxed)),
        );
        text
    }
}
