//! Port 15014: health and metrics, in plaintext.

use crate::collect::Knowledge;
use crate::publish::{Client, Clients, Published};
use crate::serve::{Ca, Counts, Identities};
use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weft_model::Node;
use weft_proto::type_url::{CLUSTER, ENDPOINTS, LISTENER, NAMES, ROUTE};
use weft_xds::World;

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
        .route("/debug/configz", get(config))
        .with_state(of);
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on {address}; is another program there?"))?;
    let stopped = async move { stop.cancelled().await };
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
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

type Refusal = (StatusCode, &'static str);

/// What the mesh looks like is not for every pod that can reach this port.
fn local_only(peer: SocketAddr) -> Result<(), Refusal> {
    let refusal = (
        StatusCode::FORBIDDEN,
        "only from this pod; use kubectl port-forward\n",
    );
    peer.ip()
        .to_canonical()
        .is_loopback()
        .then_some(())
        .ok_or(refusal)
}

/// The connected proxies, one a line: pod, account, generation of what it is told.
async fn connected(
    State(of): State<Monitored>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
) -> Result<String, Refusal> {
    local_only(peer)?;
    let line = |client: Arc<Client>| {
        let Node {
            namespace,
            pod,
            service_account,
            ..
        } = &client.node;
        let generation = client.world().map_or(0, |world| world.generation);
        format!("{namespace}/{pod} {service_account} {generation}\n")
    };
    Ok(of.clients.all().into_iter().map(line).collect())
}

/// What each proxy is told, or the one of `?proxy=<namespace>/<pod>`: pod, type, name and version a line.
async fn config(
    State(of): State<Monitored>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Result<String, Refusal> {
    local_only(peer)?;
    let mut text = String::new();
    for client in of.clients.all() {
        let proxy = format!("{}/{}", client.node.namespace, client.node.pod);
        if asked.get("proxy").is_none_or(|wanted| *wanted == proxy) {
            resources(&mut text, &proxy, &client.world().unwrap_or_default());
        }
    }
    Ok(text)
}

fn resources(text: &mut String, proxy: &str, world: &World) {
    for (url, kind) in [
        (CLUSTER, "cluster"),
        (ENDPOINTS, "endpoints"),
        (LISTENER, "listener"),
        (ROUTE, "route"),
        (NAMES, "names"),
    ] {
        for (name, resource) in world.set(url).iter() {
            writeln!(text, "{proxy} {kind} {name} {}", resource.version)
                .expect("writing to a String cannot fail");
        }
    }
}

async fn metrics(State(of): State<Monitored>) -> String {
    let mut text = String::new();
    for (name, kind, help, value) in numbers(&of) {
        writeln!(
            text,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
        )
        .expect("writing to a String cannot fail");
    }
    let (push, ack) = (&of.counts.push, &of.counts.ack);
    push.write(
        &mut text,
        "weft_control_push_seconds",
        "From a change in the cluster to its push.",
    );
    ack.write(
        &mut text,
        "weft_control_ack_seconds",
        "From a push to its acknowledgement.",
    );
    answers(&mut text, &of.ca);
    text
}

/// Name, type, help and value of what is one number.
#[rustfmt::skip]
fn numbers(of: &Monitored) -> [(&'static str, &'static str, &'static str, u64); 7] {
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let counts = &of.counts;
    let published = of.published.borrow();
    let left = of.identities.signer().map_or(0, |signer| signer.remaining(SystemTime::now()).as_secs());
    [
        ("weft_control_proxies", "gauge", "Connected proxies.", load(&counts.connected)),
        ("weft_control_pushes_total", "counter", "Responses sent.", load(&counts.pushes)),
        ("weft_control_acks_total", "counter", "Responses in force.", load(&counts.acks)),
        ("weft_control_nacks_total", "counter", "Responses refused.", load(&counts.nacks)),
        ("weft_control_rebuilds_total", "counter", "Snapshots built.", published.generation),
        ("weft_control_problems", "gauge", "Faults in users' objects.", published.problems.len() as u64),
        ("weft_ca_remaining_seconds", "gauge", "Life that the signing certificate has left; 0 without one.", left),
    ]
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
