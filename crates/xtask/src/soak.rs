//! `cargo xtask soak`: the end-to-end tests in their long form, and the record of what they came to.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Result;

use crate::command::{run, step};
use crate::{place, test};

/// Runs them with the images that ship and writes the record, whether they pass or not.
pub(crate) fn soak() -> Result<()> {
    let mut lines = Vec::new();
    let outcome = test::long(&mut lines);
    let path = record_path();
    std::fs::write(&path, record(&origin()?, &lines))?;
    step(format!("written: {}", path.display()));
    outcome
}

fn record_path() -> PathBuf {
    place::repository().join("e2e/soak.md")
}

/// When, of what and on what this was run.
fn origin() -> Result<String> {
    let date = run("date -u +%Y-%m-%dT%H:%MZ")?;
    let commit = run("git rev-parse --short HEAD")?;
    let cores = std::thread::available_parallelism()?;
    Ok(format!(
        "{}, commit {}, {cores} cores",
        date.trim(),
        commit.trim()
    ))
}

/// The outcome of each test, with the figures that it printed.
fn record(origin: &str, lines: &[String]) -> String {
    let mut text = format!(
        "# The last run of the long forms\n\n{origin}. Written by `cargo xtask soak`.\n\n## Tests\n"
    );
    let tests = lines.iter().filter_map(|line| line.strip_prefix("test "));
    for line in tests.filter(|line| !line.starts_with("result: ")) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "- {}", line.replace("::", ": ").replace('_', " "));
    }
    text.push_str("\n## Figures\n");
    for line in lines
        .iter()
        .filter_map(|line| line.strip_prefix("figure: "))
    {
        let _ = writeln!(text, "- {line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_has_the_outcome_of_each_test_and_its_figures() {
        let lines = [
            "running 1 test",
            "test mtls::a_caller_is_known ... ok",
            "test result: ok. 1 passed; 0 failed; finished in 0.00s",
            "figure: 0 of 10 requests failed",
        ]
        .map(str::to_owned);
        let text = record("today", &lines);
        assert!(
            text.contains("- mtls: a caller is known ... ok\n"),
            "{text}"
        );
        assert!(!text.contains("result"), "{text}");
        assert!(text.ends_with("- 0 of 10 requests failed\n"), "{text}");
    }
}
