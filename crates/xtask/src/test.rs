//! `cargo xtask test`, the gate of every change, and `cargo xtask e2e`, the end-to-end tests.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::command::{show, step, words};
use crate::target::{Target, helm_directory};
use crate::{images, place, tidy};

/// Runs everything, quickest first, and says at the end how many tests passed and failed.
///
/// The end-to-end tests take quick builds of the images, most of which the tests before them have built already.
pub(crate) fn run() -> Result<()> {
    step("formatting");
    show(&mut cargo("fmt --all --check"))?;
    step("house rules");
    tidy::run()?;
    step("lints");
    show(&mut cargo(
        "clippy --workspace --all-targets --features weft-e2e/cluster --locked -- -D warnings",
    ))?;
    step("tests without a cluster");
    let mut count = Count::default();
    let without = "test --workspace --exclude weft-e2e --locked --no-fail-fast";
    tests(&mut cargo(without), &mut count)?;
    on_a_cluster(Form::Short, "dev", &mut count)?;
    verdict(&count)
}

/// Runs the end-to-end tests, and says at the end how many passed and failed.
pub(crate) fn stories(profile: &str) -> Result<()> {
    let mut count = Count::default();
    on_a_cluster(Form::Short, profile, &mut count)?;
    verdict(&count)
}

/// Runs the end-to-end tests in their long form with the images that ship, and hands over what they printed.
pub(crate) fn long(lines: &mut Vec<String>) -> Result<()> {
    let mut count = Count::default();
    let outcome = on_a_cluster(Form::Long, "release", &mut count);
    lines.append(&mut count.lines);
    outcome.and_then(|()| verdict(&count))
}

fn verdict(count: &Count) -> Result<()> {
    println!("{} passed, {} failed", count.passed, count.failed);
    if count.failed > 0 || count.broken {
        bail!("not everything passed");
    }
    Ok(())
}

/// Runs the end-to-end tests with images of that profile; a cluster that was not up before is down again afterwards.
fn on_a_cluster(form: Form, profile: &str, count: &mut Count) -> Result<()> {
    let target = Target::choose();
    let archives = images::build(profile, &images::with_tests())?;
    let was_up = target.is_up();
    target.up()?;
    let outcome = target
        .load(&archives)
        .and_then(|()| end_to_end(&target, form, count));
    if !was_up {
        target.down()?;
    }
    outcome
}

fn end_to_end(target: &Target, form: Form, count: &mut Count) -> Result<()> {
    step("end-to-end tests");
    let mut command = cargo(
        "test -p weft-e2e --features cluster --locked --no-fail-fast -- --test-threads 1 --show-output",
    );
    command
        .env("KUBECONFIG", target.kubeconfig())
        .env("PATH", place::path_with(helm_directory()?));
    if form == Form::Long {
        command.env("WEFT_SOAK", "1");
    }
    tests(&mut command, count)
}

fn cargo(arguments: &str) -> Command {
    let mut command = words(&format!("cargo {arguments}"));
    command.current_dir(place::repository());
    command
}

/// How long the end-to-end tests go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// For the gate.
    Short,
    /// As long as the promise is.
    Long,
}

/// What a run of `cargo test` came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u32,
    failed: u32,
    /// It ended badly, which may be for want of compiling.
    broken: bool,
    /// What it printed.
    lines: Vec<String>,
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

/// Runs tests with their output on the terminal, and adds them to the count.
fn tests(command: &mut Command, count: &mut Count) -> Result<()> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let output = child.stdout.take().context("the output of cargo")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        count.add(&line);
        count.lines.push(line);
    }
    count.broken |= !child.wait()?.success();
    Ok(())
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
                ..Count::default()
            }
        );
    }
}
