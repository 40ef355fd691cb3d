//! Requests at a steady rate: half of them on kept connections, half on new ones.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use anyhow::Result;
use http::Request;
use http_body_util::Empty;
use serde::Serialize;
use tokio::task::{JoinSet, spawn_blocking};
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
}

/// Sends until standard input says something or ends; each request that was sent is waited for.
pub(crate) async fn run(url: &str, rate: u32) -> Result<()> {
    let clients = [client(64)?, client(0)?];
    let mut ticks = interval(Duration::from_secs(1) / rate.max(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut report, mut open) = (Report::default(), JoinSet::new());
    // One byte or the end: either says that it is enough.
    let mut ended = spawn_blocking(|| std::io::stdin().read(&mut [0]));
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let which = usize::from(report.sent % 2 == 1);
                report.sent += 1;
                open.spawn(one(clients[which].clone(), url.to_owned(), ["kept", "new"][which]));
            }
            Some(done) = open.join_next() => report.note(done?),
            _ = &mut ended => break,
        }
    }
    while let Some(done) = open.join_next().await {
        report.note(done?);
    }
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

/// The name of the server that answered, or what went wrong.
async fn one(client: HttpClient, url: String, connection: &'static str) -> Result<String, String> {
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
    Ok(seen["host"].as_str().unwrap_or_default().to_owned())
}

fn milliseconds() -> u128 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis())
}

impl Report {
    fn note(&mut self, outcome: Result<String, String>) {
        match outcome {
            Ok(host) => {
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
