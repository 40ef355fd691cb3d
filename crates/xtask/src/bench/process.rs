//! A measured process: pinned to a core, with the kernel's account of its CPU time and memory.

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running program; stopped when dropped.
#[derive(Debug)]
pub(super) struct Process(Child);

/// Load generator and origin.
pub(super) const LOAD_CORE: &str = "0";
/// The proxies alone.
pub(super) const PROXY_CORE: &str = "1";

/// `program` on `core`, before all that is not being measured.
pub(super) fn pinned(core: &str, program: &Path) -> Command {
    let mut command = Command::new("chrt");
    command
        .args(["-f", "10", "taskset", "-c", core])
        .arg(program);
    command
}

impl Process {
    /// Starts `command` with its output in `log`.
    pub(super) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let out = File::create(log).with_context(|| format!("create {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("start {command:?}"))?;
        Ok(Self(child))
    }

    /// Waits until `address` accepts connections.
    pub(super) fn wait_for(&mut self, address: SocketAddr) -> Result<Duration> {
        let started = Instant::now();
        while TcpStream::connect_timeout(&address, Duration::from_millis(50)).is_err() {
            if let Some(status) = self.0.try_wait()? {
                bail!("it ended with {status} before it listened on {address}");
            }
            if started.elapsed() > Duration::from_secs(20) {
                bail!("it does not listen on {address} after 20 s");
            }
        }
        Ok(started.elapsed())
    }

    /// CPU time of all its threads so far.
    pub(super) fn cpu(&self) -> Result<Duration> {
        let tasks = format!("/proc/{}/task", self.0.id());
        let mut total = 0;
        for task in std::fs::read_dir(&tasks)?.filter_map(Result::ok) {
            let text = std::fs::read_to_string(task.path().join("schedstat"))?;
            total += text
                .split(' ')
                .next()
                .and_then(|ns| ns.parse::<u64>().ok())
                .unwrap_or(0);
        }
        Ok(Duration::from_nanos(total))
    }

    /// Resident memory in kB.
    pub(super) fn resident_kb(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        number.context("no VmRSS in the process's status")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to stop.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
