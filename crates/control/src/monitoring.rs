//! Port 15014: health and metrics, in plaintext.

use crate::collect::Knowledge;
use crate::publish::{Clients, Published};
use crate::serve::{Ca, Counts, Identities};
use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What is looked at.
#[derive(Clone, Debug)]
pub struct Monitored {
    /// What was collected.
    pub knowledge: Knowledge,
    /// The latest rebuild.
    pub published: watch::Receiver<Published>,
    /// Connected proxies.
    pub clients: Arc<Clients>,
    /// What happened on streams.
    pub counts: Arc<Counts>,
    /// What the CA answered.
    pub ca: Ca,
    /// Whether there is a CA.
    pub identities: Identities,
}

/// Serves until `stop`.
///
/// # Errors
/// When the address cannot be bound.
pub async fn run(address: SocketAddr, of: Monitored, stop: CancellationToken) -> Result<()> {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/debug/syncz", get(connected))
        .with_state(of);
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on {address}; is another program there?"))?;
    let stopped = async move { stop.cancelled().await };
    axum::serve(listener, router)
        .with_graceful_shutdown(stopped)
        .await
        .context("serve metrics")
}

/// Ready once every kind was listed, a snapshot was built and certificates can be signed.
async fn ready(State(of): State<Monitored>) -> (StatusCode, String) {
    let missing: Vec<String> = of
        .knowledge
        .borrow()
        .missing()
        .map(|kind| format!("{kind:?}"))
        .collect();
    let waits_for = if !missing.is_empty() {
        format!("the first list of {}", missing.join(", "))
    } else if of.published.borrow().generation == 0 {
        "the first snapshot".to_owned()
    } else {
        match of.identities.signer() {
            Ok(_) => return (StatusCode::OK, "ready".to_owned()),
            Err(refused) => refused.to_string(),
        }
    };
    (
        StatusCode::SERVICE_UNAVAILABLE,
        format!("not ready; waits for: {waits_for}"),
    )
}

/// The connected proxies, one a line.
async fn connected(State(of): State<Monitored>) -> String {
    let line = |client: Arc<crate::publish::Client>| {
        let node = &client.node;
        format!("{}/{} {}\n", node.namespace, node.pod, node.service_account)
    };
    of.clients.all().into_iter().map(line).collect()
}

async fn metrics(State(of): State<Monitored>) -> String {
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let counts = &of.counts;
    let published = of.published.borrow().clone();
    let mut text = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, value: u64| {
        writeln!(
            text,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
        )
        .expect("writing to a String cannot fail");
    };
    metric(
        "weft_control_proxies",
        "gauge",
        "Connected proxies.",
        load(&counts.connected),
    );
    metric(
        "weft_control_pushes_total",
        "counter",
        "Responses sent.",
        load(&counts.pushes),
    );
    metric(
        "weft_control_acks_total",
        "counter",
        "Responses in force.",
        load(&counts.acks),
    );
    metric(
        "weft_control_nacks_total",
        "counter",
        "Responses refused.",
        load(&counts.nacks),
    );
    metric(
        "weft_control_ack_microseconds_total",
        "counter",
        "Time between push and acknowledgement, added up.",
        load(&counts.acked_micros),
    );
    metric(
        "weft_control_rebuilds_total",
        "counter",
        "Snapshots built.",
        published.generation,
    );
    metric(
        "weft_control_problems",
        "gauge",
        "Faults in users' objects.",
        published.problems.len() as u64,
    );
    answers(&mut text, &of.ca);
    text
}

fn answers(text: &mut String, ca: &Ca) {
    const NAME: &str = "weft_ca_requests_total";
    text.push_str("# HELP weft_ca_requests_total Requests for certificates, by answer.\n");
    text.push_str("# TYPE weft_ca_requests_total counter\n");
    for (code, count) in ca.answers.all() {
        writeln!(text, "{NAME}{{answer=\"{code}\"}} {count}")
            .expect("writing to a String cannot fail");
    }
}
