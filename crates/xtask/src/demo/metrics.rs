//! Reads Prometheus' text format, as far as the demo needs it.

use std::collections::BTreeMap;

/// One sample: its labels and its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

/// The samples of one metric.
pub(super) fn samples(text: &str, metric: &str) -> Vec<Sample> {
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(metric)?.strip_prefix('{'));
    lines.filter_map(sample).collect()
}

/// Reads `key="value",…} number`; our labels hold no escaped quotes.
fn sample(line: &str) -> Option<Sample> {
    let (labels, value) = line.rsplit_once("} ")?;
    let pairs = labels.split("\",").filter_map(|pair| {
        let (key, value) = pair.split_once("=\"")?;
        Some((key.to_owned(), value.trim_end_matches('"').to_owned()))
    });
    Some(Sample {
        labels: pairs.collect(),
        value: value.split(' ').next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_value_are_read_and_other_metrics_are_not() {
        let text = "# TYPE a counter\na{x=\"1\",y=\"two, three\"} 7\nab{x=\"2\"} 8\n";
        let labels = BTreeMap::from(
            [("x", "1"), ("y", "two, three")]
                .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        assert_eq!(samples(text, "a"), [Sample { labels, value: 7.0 }]);
    }
}
