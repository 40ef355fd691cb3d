//! `cargo xtask bench`: Weft's proxy and stock Envoy side by side, with one configuration for both.
//!
//! Flows in: a release build of `weft-proxy`. Flows out: a Markdown table of CPU per request and memory,
//! as ratios to Envoy of the same round, because only those survive a shared machine. Core 0 has the
//! load generator and the origin, core 1 the proxies alone; CPU is the kernel's own accounting.
//! Must never run inside a test: what it measures depends on the machine.

mod config;
mod load;
mod memory;
mod pki;
mod process;
mod report;
mod scenario;
mod tools;

use crate::{images, place};
use anyhow::{Context, Result};
use clap::Args;

/// What to measure, and for how long.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Rounds; in each one every proxy is measured once, in alternating order.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of load for one measurement.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Only the scenarios whose names contain this.
    #[arg(long)]
    only: Option<String>,
    /// Also write the table to `docs/benchmarks.md`.
    #[arg(long)]
    save: bool,
}

/// Runs the benchmarks and prints the table.
///
/// # Errors
/// When a tool is missing (named with the command that installs it) or a proxy does not start.
pub(crate) fn run(options: &Options) -> Result<()> {
    memory::raise_descriptor_limit();
    let folder = place::target().join("bench");
    std::fs::create_dir_all(&folder).context("create target/bench")?;
    let tools = tools::Tools::find(&folder, &images::built("release", "weft-proxy"))?;
    pki::write(&folder)?;
    let bench = scenario::Bench {
        tools: &tools,
        folder: &folder,
        seconds: options.seconds,
    };
    let mut table = report::Table::new();
    let wanted = |name: &str| {
        options
            .only
            .as_ref()
            .is_none_or(|part| name.contains(part.as_str()))
    };
    for scenario in scenario::ALL
        .iter()
        .filter(|scenario| wanted(scenario.name))
    {
        for round in 0..options.rounds {
            for peer in order(round) {
                let measured = bench
                    .measure(scenario, peer)
                    .with_context(|| format!("{} with {}", scenario.name, peer.name()))?;
                table.add(scenario, peer, measured);
            }
        }
        eprint!("{}", table.lines_of(scenario.name));
    }
    let text = table.markdown(options);
    if options.save {
        std::fs::write(place::repository().join("docs/benchmarks.md"), &text)
            .context("write docs/benchmarks.md")?;
    }
    println!("{text}");
    Ok(())
}

/// Neither proxy always goes first.
fn order(round: usize) -> [scenario::Peer; 2] {
    use scenario::Peer::{Envoy, Weft};
    if round.is_multiple_of(2) {
        [Envoy, Weft]
    } else {
        [Weft, Envoy]
    }
}
