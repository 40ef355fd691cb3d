//! Circuit breakers: of requests that come together, as many are refused as Envoy refuses.

use crate::client::{self, Outcome};
use crate::server::Servers;
use crate::side::{Side, Which};
use crate::words;
use futures::future::join_all;
use std::collections::BTreeMap;
use std::path::Path;

/// What came of requests that were sent together.
async fn told(
    which: Which,
    line: &str,
    count: usize,
    folder: &Path,
    servers: &Servers,
) -> BTreeMap<String, usize> {
    let side = Side::start(which, folder, &servers.ports);
    let case = words::cases(line).remove(0);
    let port = side.ports["main"];
    let together = |count| join_all((0..count).map(|_| client::send(&case, "o", port)));
    // A request that waits for its connection counts as waiting: all that may be open are open before.
    together(2).await;
    let outcomes: Vec<Outcome> = together(count).await;
    let lines = tokio::task::spawn_blocking(move || side.end())
        .await
        .unwrap();
    servers.book.take();
    let mut counts = BTreeMap::new();
    for answer in outcomes.iter().flat_map(|outcome| &outcome.answers) {
        let overloaded = answer
            .headers
            .iter()
            .any(|(name, _)| name == "x-envoy-overloaded");
        *counts
            .entry(format!("status {} overloaded {overloaded}", answer.status))
            .or_default() += 1;
    }
    for line in lines.values().flatten() {
        let flags = line.split('\t').next().unwrap();
        *counts.entry(format!("flags {flags}")).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_requests_overflow_as_with_envoy() {
    let servers = Servers::start().await;
    let folder = tempfile::tempdir().unwrap();
    for (line, count, refused) in [
        // Two connections, three that wait; the others are refused.
        ("GET tight.test /one | x-do: delay 300", 20, 15),
        // Four streams at one time.
        ("h2 GET tight.test /two | x-do: delay 300", 20, 16),
    ] {
        let theirs = told(Which::Envoy, line, count, folder.path(), &servers).await;
        let ours = told(Which::Weft, line, count, folder.path(), &servers).await;
        assert_eq!(
            theirs.get("status 503 overloaded true"),
            Some(&refused),
            "Envoy: {theirs:?}"
        );
        assert_eq!(ours, theirs, "{line}");
    }
}
