//! One configuration and one stream of requests through this proxy and through stock Envoy: status,
//! headers, body, what the servers behind saw, and the access log must be the same.
//!
//! The cases are lines of `cases/*.txt` and seeded random ones (`WEFT_DIFFERENTIAL_RANDOM` says how
//! many, `WEFT_DIFFERENTIAL_SEED` which); what may differ stands in `differences.txt` with its
//! reason. Envoy comes from the Python registry: see `weft_testkit::envoy`.
#![allow(clippy::unwrap_used, reason = "tests panic")]

mod bootstrap;
mod client;
mod differences;
mod message;
mod overflow;
mod random;
mod seen;
mod server;
mod side;
mod words;

use client::Outcome;
use futures::stream::{self, StreamExt};
use seen::Seen;
use server::Servers;
use side::{Side, Which};
use std::path::Path;
use std::time::Duration;
use words::Case;

const TABLES: [&str; 7] = [
    include_str!("cases/routing.txt"),
    include_str!("cases/rewriting.txt"),
    include_str!("cases/headers.txt"),
    include_str!("cases/framing.txt"),
    include_str!("cases/filters.txt"),
    include_str!("cases/tries.txt"),
    include_str!("cases/http2.txt"),
];
/// Cases at one time.
const BESIDE: usize = 48;
/// Differences that are shown when the test fails.
const SHOWN: usize = 4000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_request_fares_as_with_envoy() {
    let mut cases: Vec<Case> = TABLES.iter().flat_map(|text| words::cases(text)).collect();
    assert!(cases.len() >= 1000, "only {} cases", cases.len());
    cases.extend(random::cases());
    let servers = Servers::start().await;
    let folder = tempfile::tempdir().unwrap();
    let theirs = run(Which::Envoy, &cases, folder.path(), &servers).await;
    let ours = run(Which::Weft, &cases, folder.path(), &servers).await;

    let table = differences::Table::read(include_str!("differences.txt"));
    let mut found = Vec::new();
    for ((case, ours), theirs) in cases.iter().zip(&ours).zip(&theirs) {
        let different = seen::differences(ours, theirs);
        let new = different
            .iter()
            .filter(|(aspect, _)| !table.has(&case.line, aspect));
        let lines: Vec<String> = new
            .map(|(aspect, (ours, theirs))| format!("    {aspect}: {ours:?}, Envoy {theirs:?}"))
            .collect();
        if !lines.is_empty() {
            found.push(format!("{}\n{}", case.line, lines.join("\n")));
        }
    }
    let text = found
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        found.is_empty(),
        "{} of {} cases differ:\n{text}",
        found.len(),
        cases.len()
    );
    assert_eq!(
        table.unused(),
        Vec::<&str>::new(),
        "these do not differ any more"
    );
}

/// Sends every case through one proxy.
async fn run(which: Which, cases: &[Case], folder: &Path, servers: &Servers) -> Vec<Seen> {
    let side = Side::start(which, folder, &servers.ports);
    let (side, outcomes) = {
        let ports = &side.ports;
        let sent = cases.iter().enumerate().map(|(at, case)| async move {
            let port = ports[case.listener.as_str()];
            (at, client::send(case, &format!("c{at}"), port).await)
        });
        let sent = stream::iter(sent).buffer_unordered(BESIDE);
        let mut outcomes: Vec<(usize, Outcome)> = sent.collect().await;
        outcomes.sort_by_key(|(at, _)| *at);
        (side, outcomes)
    };
    // Copies for mirrors may still be under way.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut lines = tokio::task::spawn_blocking(move || side.end())
        .await
        .unwrap();
    let mut received = servers.book.take();
    let mut all = Vec::new();
    for (case, (at, outcome)) in cases.iter().zip(&outcomes) {
        let number = format!("c{at}");
        let received = received.remove(&number).unwrap_or_default();
        let lines = lines.remove(&number).unwrap_or_default();
        all.push(seen::seen(case, outcome, received, &lines));
    }
    all
}
