//! Requests at a steady rate: half of them on kept connections, half on new ones.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use http::Request;
use http_body_util::Empty;
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::call::{HttpClient, client, send};

#[derive(Debug, Default, Serialize)]
struct Report {
    sent: u64,
    failed: u64,
    /// Each kind of failure, with its number.
    faults: BTreeMap<String, u64>,
    /// Which server answered how often.
    hosts: BTreeMap<String, u64>,
    /// When it first did, in milliseconds of the Unix epoch.
    first: BTreeMap<String, u128>,
    /// Good answers that took that many whole seconds.
    seconds: BTreeMap<u64, u64>,
}

/// How long it sends at least, whenever it is told to terminate: less would prove nothing.
const SECONDS: u32 = 10;

/// Sends until it is told to terminate; each request that was sent is waited for.
pub(crate) async fn run(url: &str, rate: u32) -> Result<()> {
    let clients = [client(64)?, client(0)?];
    let mut ticks = interval(Duration::from_secs(1) / rate.max(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut report, mut open) = (Report::default(), JoinSet::new());
    let mut terminate = signal(SignalKind::terminate())?;
    let mut told = false;
    while !told || report.sent < u64::from(rate * SECONDS) {
        tokio::select! {
            _ = ticks.tick() => {
                let which = usize::from(report.sent % 2 == 1);
                report.sent += 1;
                open.spawn(one(clients[which].clone(), url.to_owned(), ["kept", "new"][which]));
            }
            Some(done) = open.join_next() => report.note(done?),
            _ = terminate.recv() => told = true,
        }
    }
    while let Some(done) = open.join_next().await {
        report.note(done?);
    }
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

/// The name of the server that answered and how long that took, or what went wrong.
type Outcome = Result<(String, Duration), String>;

/// Sends one request.
async fn one(client: HttpClient, url: String, connection: &'static str) -> Outcome {
    let began = Instant::now();
    let fault = |what: String| format!("{connection} connection: {what}");
    let request = Request::get(url)
        .body(Empty::new())
        .map_err(|bad| fault(bad.to_string()))?;
    let answer = send(&client, request)
        .await
        .map_err(|bad| fault(format!("{bad:#}")))?;
    if answer.status != 200 {
        return Err(fault(format!(
            "status {} {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        )));
    }
    let seen: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let host = seen["host"].as_str().unwrap_or_default().to_owned();
    Ok((host, began.elapsed()))
}

fn milliseconds() -> u128 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis())
}

impl Report {
    fn note(&mut self, outcome: Outcome) {
        match outcome {
            Ok((host, took)) => {
                *self.seconds.entry(took.as_secs()).or_default() += 1;
                *self.hosts.entry(host.clone()).or_default() += 1;
                self.first.entry(host).or_insert_with(milliseconds);
            }
            Err(fault) => {
                self.failed += 1;
                *self.faults.entry(fault).or_default() += 1;
            }
        }
    }
}

/// Tells the other `weft-echo load` of this container to terminate.
pub(crate) fn stop() -> Result<()> {
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let is_load = words.split(|byte| *byte == 0).nth(1) == Some(b"load");
        if let (true, Ok(number)) = (is_load, entry.file_name().to_string_lossy().parse()) {
            let process = Pid::from_raw(number).context("a process has a number")?;
            kill_process(process, Signal::TERM)?;
        }
    }
    Ok(())
}
