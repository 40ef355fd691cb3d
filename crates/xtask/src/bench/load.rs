//! Load generators, and what they say that they did.

use super::process::{LOAD_CORE, pinned};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// What a generator counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    /// Complete answers.
    pub(super) requests: u64,
    /// Answers that were not 2xx, and broken connections.
    pub(super) failed: u64,
}

/// How requests are made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Generator {
    /// HTTP/1.1 on 64 connections, keep-alive or a new connection for each request.
    Wrk {
        /// Path to ask for.
        path: &'static str,
        /// One request a connection.
        close: bool,
    },
    /// HTTP/2 with prior knowledge: 8 connections with 16 streams each.
    H2load {
        /// Path to ask for.
        path: &'static str,
    },
}

impl Generator {
    /// Loads `port` of the loopback for `seconds`.
    pub(super) fn run(self, port: u16, seconds: u64) -> Result<Load> {
        let output = self
            .command(port, seconds)
            .output()
            .context("start the load generator")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let load = match self {
            Self::Wrk { .. } => wrk(&text),
            Self::H2load { .. } => h2load(&text),
        };
        let load = load.with_context(|| format!("the load generator said: {text}"))?;
        if load.requests == 0 || load.failed > load.requests / 1000 {
            bail!("{} of {} requests failed", load.failed, load.requests);
        }
        Ok(load)
    }

    fn command(self, port: u16, seconds: u64) -> Command {
        let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
        let time = seconds.to_string();
        match self {
            Self::Wrk { path, close } => {
                let mut command = pinned(LOAD_CORE, Path::new("wrk"));
                command.args(["-t1", "-c64", "-d", &time]);
                if close {
                    command.args(["-H", "connection: close"]);
                }
                command.arg(url(path));
                command
            }
            Self::H2load { path } => {
                let mut command = pinned(LOAD_CORE, Path::new("h2load"));
                command
                    .args(["-c8", "-m16", "-t1", "-D", &time])
                    .arg(url(path));
                command
            }
        }
    }
}

fn wrk(text: &str) -> Option<Load> {
    let requests = text
        .lines()
        .find_map(|line| line.trim().split_once(" requests in ")?.0.parse().ok())?;
    let number = |line: &str| {
        line.rsplit_once(' ')
            .and_then(|(_, number)| number.parse::<u64>().ok())
    };
    let errors = text
        .lines()
        .filter(|line| line.trim().starts_with("Non-2xx"))
        .filter_map(number);
    let sockets = text
        .lines()
        .find(|line| line.trim().starts_with("Socket errors"));
    let broken = sockets.map_or(0, |line| {
        line.split([',', ' '])
            .filter_map(|word| word.parse::<u64>().ok())
            .sum()
    });
    Some(Load {
        requests,
        failed: errors.sum::<u64>() + broken,
    })
}

fn h2load(text: &str) -> Option<Load> {
    let line = text.lines().find(|line| line.starts_with("requests:"))?;
    let count = |word: &str| {
        let (before, _) = line.split_once(&format!(" {word}"))?;
        before.rsplit([' ', ',']).next()?.parse::<u64>().ok()
    };
    Some(Load {
        requests: count("succeeded")?,
        failed: count("failed")? + count("errored")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_prints_is_understood() {
        let text = "Running 5s test\n  123456 requests in 5.10s, 140.01MB read\n  Socket errors: connect 1, read 2, write 0, timeout 3\n  Non-2xx or 3xx responses: 7\nRequests/sec:  24206.9\n";
        assert_eq!(
            wrk(text),
            Some(Load {
                requests: 123_456,
                failed: 13
            })
        );
    }

    #[test]
    fn what_h2load_prints_is_understood() {
        let text = "finished in 5.00s, 100.0 req/s, 1MB/s\nrequests: 1000 total, 1010 started, 1000 done, 990 succeeded, 6 failed, 4 errored, 0 timeout\n";
        assert_eq!(
            h2load(text),
            Some(Load {
                requests: 990,
                failed: 10
            })
        );
    }
}
