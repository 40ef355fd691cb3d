//! The Prometheus text format, version 0.0.4.

use super::count::{BOUNDS, HistogramSum};
use std::fmt::Write;

/// A page of metrics being written. Families without series are left out.
#[derive(Debug, Default)]
pub(super) struct Page(String);

const INFALLIBLE: &str = "writing to a String cannot fail";

impl Page {
    pub(super) fn into_text(self) -> String {
        self.0
    }

    /// One counter family: label sets with values.
    pub(super) fn counters<L: AsRef<str>>(
        &mut self,
        name: &str,
        series: impl Iterator<Item = (L, u64)>,
    ) {
        self.numbers(name, "counter", series);
    }

    pub(super) fn numbers<L: AsRef<str>>(
        &mut self,
        name: &str,
        kind: &str,
        series: impl Iterator<Item = (L, u64)>,
    ) {
        let mut first = true;
        for (labels, value) in series {
            self.head(name, kind, &mut first);
            writeln!(self.0, "{name}{{{}}} {value}", labels.as_ref()).expect(INFALLIBLE);
        }
        self.end(first);
    }

    /// One histogram family.
    pub(super) fn histograms<'a, L: AsRef<str>>(
        &mut self,
        name: &str,
        series: impl Iterator<Item = (L, &'a HistogramSum)>,
    ) {
        let mut first = true;
        for (labels, histogram) in series {
            self.head(name, "histogram", &mut first);
            self.histogram(name, labels.as_ref(), histogram);
        }
        self.end(first);
    }

    fn histogram(&mut self, name: &str, labels: &str, histogram: &HistogramSum) {
        let mut below = 0;
        for (bound, count) in BOUNDS.iter().zip(&histogram.buckets) {
            below += count;
            writeln!(self.0, "{name}_bucket{{{labels},le=\"{bound}\"}} {below}").expect(INFALLIBLE);
        }
        let all = below + histogram.buckets[BOUNDS.len()];
        writeln!(self.0, "{name}_bucket{{{labels},le=\"+Inf\"}} {all}").expect(INFALLIBLE);
        writeln!(self.0, "{name}_sum{{{labels}}} {}", histogram.sum).expect(INFALLIBLE);
        writeln!(self.0, "{name}_count{{{labels}}} {all}").expect(INFALLIBLE);
    }

    fn head(&mut self, name: &str, kind: &str, first: &mut bool) {
        if std::mem::take(first) {
            writeln!(self.0, "# TYPE {name} {kind}").expect(INFALLIBLE);
        }
    }

    /// A blank line after a family, as Envoy writes it.
    fn end(&mut self, empty: bool) {
        if !empty {
            self.0.push('\n');
        }
    }
}
