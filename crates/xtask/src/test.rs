//! `cargo xtask test`: everything that must pass before a change lands, quickest first.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::command::{show, step, words};
use crate::{cluster, place, tidy};

/// Runs all of it, and says at the end how many tests passed and failed.
pub(crate) fn run() -> Result<()> {
    step("formatting");
    show(&mut cargo("fmt --all --check"))?;
    step("house rules");
    tidy::run()?;
    step("lints");
    show(&mut cargo(
        "clippy --workspace --all-targets --locked -- -D warnings",
    ))?;
    step("tests without a cluster");
    let count = tests(&mut cargo(
        "test --workspace --exclude weft-e2e --locked --no-fail-fast",
    ))?;
    let up = cluster::up(2).and_then(|_| cluster::down());
    println!("{} passed, {} failed", count.passed, count.failed);
    up?;
    if count.failed > 0 || count.broken {
        bail!("not everything passed");
    }
    Ok(())
}

fn cargo(arguments: &str) -> Command {
    let mut command = words(&format!("cargo {arguments}"));
    command.current_dir(place::repository());
    command
}

/// What a run of `cargo test` came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u32,
    failed: u32,
    /// It ended badly, which may be for want of compiling.
    broken: bool,
}

impl Count {
    /// Adds what a line such as `test result: ok. 3 passed; 0 failed; …` says.
    fn add(&mut self, line: &str) {
        let Some((_, result)) = line.split_once("test result: ") else {
            return;
        };
        let number = |what: &str| {
            result
                .split_once(what)
                .and_then(|(before, _)| before.rsplit(' ').next()?.parse().ok())
        };
        self.passed += number(" passed").unwrap_or(0);
        self.failed += number(" failed").unwrap_or(0);
    }
}

/// Runs tests with their output on the terminal, and counts them.
fn tests(command: &mut Command) -> Result<Count> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let output = child.stdout.take().context("the output of cargo")?;
    let mut count = Count::default();
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        count.add(&line);
    }
    count.broken = !child.wait()?.success();
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_programs_are_added_up() {
        let mut count = Count::default();
        count.add("running 3 tests");
        count.add("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s");
        count
            .add("test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!(
            count,
            Count {
                passed: 13,
                failed: 2,
                broken: false
            }
        );
    }
}
