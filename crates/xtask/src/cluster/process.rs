//! The cluster's programs run on after this one has ended: each has a log and a file with its number.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::layout::{Node, logs, pki, run};
use crate::command::{self, await_ok, tail, words};

/// Starts a program in a node's network, in the directory of the keys.
pub(super) fn start(node: Node, name: &str, line: &str) -> Result<()> {
    let log = File::create(logs().join(format!("{name}.log")))?;
    let child = words(&format!("setsid {} {line}", node.enter()))
        .current_dir(pki())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    Ok(std::fs::write(
        run().join(format!("{name}.pid")),
        child.id().to_string(),
    )?)
}

/// Waits until a program works, or fails with the end of its log.
pub(super) fn await_program<T>(
    name: &str,
    seconds: u64,
    ask: impl FnMut() -> Result<T>,
) -> Result<T> {
    await_ok(Duration::from_secs(seconds), ask).map_err(|fault| {
        let log = std::fs::read_to_string(logs().join(format!("{name}.log"))).unwrap_or_default();
        fault.context(format!(
            "{name} does not work; its log ends with\n{}",
            tail(&log, 20)
        ))
    })
}

/// Stops each program whose name begins so, politely first.
pub(super) fn stop(prefix: &str) -> Result<()> {
    for file in files(run(), prefix, ".pid")? {
        let number: u32 = std::fs::read_to_string(&file)?
            .trim()
            .parse()
            .context("a process number")?;
        if runs(number) {
            command::run(&format!("kill {number}")).ok(); // it may end by itself just now
            if await_ok(Duration::from_secs(10), || ended(number)).is_err() {
                command::run(&format!("kill -9 {number}")).ok();
            }
        }
        std::fs::remove_file(file)?;
    }
    Ok(())
}

/// The sockets of all running container runtimes.
pub(super) fn sockets() -> Result<Vec<PathBuf>> {
    files(run(), "containerd", ".sock")
}

/// The files of a directory whose names begin and end so, in order; none where there is no directory.
pub(super) fn files(directory: &Path, prefix: &str, suffix: &str) -> Result<Vec<PathBuf>> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(prefix) && name.ends_with(suffix) {
            found.push(directory.join(name));
        }
    }
    found.sort();
    Ok(found)
}

fn ended(number: u32) -> Result<()> {
    if runs(number) {
        bail!("process {number} still runs");
    }
    Ok(())
}

/// A process that has ended but was not waited for does not run.
fn runs(number: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{number}/status"))
        .is_ok_and(|status| !status.lines().any(|line| line.starts_with("State:\tZ")))
}
