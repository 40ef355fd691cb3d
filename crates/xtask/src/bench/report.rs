//! The table: medians of each side, and the ratio of the same rounds with its range.

use super::Options;
use super::scenario::{Peer, Scenario};
use super::tools::ENVOY_VERSION;
use std::fmt::Write;

/// All that was measured.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    unit: &'static str,
    goal: &'static str,
    envoy: Vec<f64>,
    weft: Vec<f64>,
}

impl Table {
    /// An empty table.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds one measurement; the n-th of both sides are one round.
    pub(super) fn add(&mut self, scenario: &Scenario, peer: Peer, value: f64) {
        let known = self.rows.iter().position(|row| row.name == scenario.name);
        let at = known.unwrap_or_else(|| {
            let Scenario {
                name, unit, goal, ..
            } = *scenario;
            self.rows.push(Row {
                name,
                unit,
                goal,
                envoy: Vec::new(),
                weft: Vec::new(),
            });
            self.rows.len() - 1
        });
        match peer {
            Peer::Envoy => self.rows[at].envoy.push(value),
            Peer::Weft => self.rows[at].weft.push(value),
        }
    }

    /// The row of one scenario, for progress.
    pub(super) fn lines_of(&self, name: &str) -> String {
        self.rows
            .iter()
            .filter(|row| row.name == name)
            .map(Row::markdown)
            .collect()
    }

    /// The whole table with what a reader must know of it.
    pub(super) fn markdown(&self, options: &Options) -> String {
        let mut text = format!(
            "# Benchmarks\n\nMade by `cargo xtask bench --save`: Weft's proxy and stock Envoy {ENVOY_VERSION} with one and the same\nconfiguration file, one worker each, {} rounds of {} s, medians. Core 0 has the load generator and the\norigin (nginx, 1 KiB answers), core 1 the proxies alone. CPU is the kernel's account of the proxies' threads\ndivided by the requests that the client counted. Only ratios of the same run mean anything on a shared machine.\n\n",
            options.rounds, options.seconds
        );
        text.push_str("| scenario | Envoy | Weft | ratio (range) | goal | unit |\n|---|---|---|---|---|---|\n");
        text.extend(self.rows.iter().map(Row::markdown));
        text
    }
}

impl Row {
    fn markdown(&self) -> String {
        let ratios: Vec<f64> = self
            .weft
            .iter()
            .zip(&self.envoy)
            .map(|(weft, envoy)| weft / envoy)
            .collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        let mut line = String::new();
        let (envoy, weft) = (median(&self.envoy), median(&self.weft));
        writeln!(
            line,
            "| {} | {envoy:.1} | {weft:.1} | {:.2} ({least:.2}–{most:.2}) | {} | {} |",
            self.name,
            median(&ratios),
            self.goal,
            self.unit
        )
        .expect("writing to a String cannot fail");
        line
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert!(median(&[]).is_nan());
    }
}
