//! `weft-proxy run`: every task of the sidecar, or of a proxy at the edge, from its start to its end.

use crate::admin::Admin;
use crate::bootstrap::{Bootstrap, Pod, Role};
use crate::config::Config;
use crate::control::ca::Wish;
use crate::control::certs::Certificates;
use crate::control::channel::Control;
use crate::control::node;
use crate::control::saved::Saved;
use crate::control::stream::Stream;
use crate::data::choose::state::Registry;
use crate::data::report::{Metrics, Workload};
use crate::data::run::Workers;
use crate::data::secrets::Secrets;
use crate::dns::{self, Forwarder, Sockets};
use crate::health::{Application, HEALTH_PORT, Health, MERGED_PORT, METRICS_PORT};
use crate::serve;
use crate::state::State;
use anyhow::{Context, Result};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Admin, for whoever is in the pod.
const ADMIN_PORT: u16 = 15000;
/// The pod's resolvers.
const RESOLVERS: &str = "/etc/resolv.conf";
/// Time for one of them; clients give up after five seconds (resolv.conf(5)).
const RESOLVER_PATIENCE: Duration = Duration::from_secs(2);

/// Runs the sidecar until it is told to end; then drains.
///
/// # Errors
/// Only what makes a start impossible: a port that is taken, a setting that cannot be read.
pub async fn run(bootstrap: Bootstrap) -> Result<()> {
    let (publish, config) = watch::channel(None);
    let (current, identity) = watch::channel(None);
    let metrics = Metrics::new(workload(&bootstrap));
    let secrets = Arc::new(Secrets::default());
    let state = State::new(
        Arc::clone(&metrics),
        Arc::clone(&secrets),
        config.clone(),
        true,
    );
    let state = Arc::new(state);
    let control = Control {
        host: bootstrap.control.0.clone(),
        port: bootstrap.control.1,
        roots: bootstrap.paths.roots.clone(),
    };
    let saved = Saved::new(&bootstrap.paths.state);
    let certificates = Certificates {
        control: control.clone(),
        wish: Wish {
            id: bootstrap.identity.clone(),
            token: bootstrap.paths.token.clone(),
            lifetime: bootstrap.certificate_lifetime,
        },
        saved: saved.clone(),
        secrets: Arc::clone(&secrets),
        current,
    };
    let stream = Stream::new(control, saved, node::node(&bootstrap), publish);
    let mut tasks = servers(&bootstrap, &state).await?;
    tasks.spawn(certificates.run());
    tasks.spawn(stream.run(identity));
    let registry = Registry::new(metrics);
    obey(&state, config, |config| {
        Workers::start(bootstrap.workers, config, &secrets, &registry)
    })
    .await?;
    let patience = (bootstrap.minimum_drain, bootstrap.drain);
    end(patience, &state, &mut tasks).await;
    Ok(())
}

fn workload(bootstrap: &Bootstrap) -> Workload {
    let pod = &bootstrap.pod;
    let label = |names: &[&str]| names.iter().find_map(|name| pod.labels.get(*name)).cloned();
    let canonical = [
        "service.istio.io/canonical-name",
        "app.kubernetes.io/name",
        "app",
    ];
    let revision = [
        "service.istio.io/canonical-revision",
        "app.kubernetes.io/version",
        "version",
    ];
    Workload {
        name: pod.workload.as_str().into(),
        namespace: pod.namespace.as_str().into(),
        app: label(&["app"]).unwrap_or_default().into(),
        version: label(&["version"]).unwrap_or_default().into(),
        canonical_service: label(&canonical)
            .unwrap_or_else(|| pod.workload.clone())
            .into(),
        canonical_revision: label(&revision)
            .unwrap_or_else(|| "latest".to_owned())
            .into(),
        cluster: bootstrap.cluster.as_str().into(),
    }
}

/// The ports of the control side, bound before anything else so that probes get an answer at once.
async fn servers(bootstrap: &Bootstrap, state: &Arc<State>) -> Result<JoinSet<()>> {
    let mut tasks = JoinSet::new();
    for (port, merged) in [
        (HEALTH_PORT, false),
        (MERGED_PORT, true),
        (METRICS_PORT, false),
    ] {
        let listener = serve::everywhere(port).await?;
        let health = Health {
            state: Arc::clone(state),
            application: application(&bootstrap.pod, bootstrap)?,
            merged,
        };
        tasks.spawn(serve::run(listener, Arc::new(health)));
    }
    let listener = serve::bind((Ipv4Addr::LOCALHOST, ADMIN_PORT).into()).await?;
    let admin = Admin::new(Arc::clone(state), node::node(bootstrap));
    tasks.spawn(serve::run(listener, Arc::new(admin)));
    // At the edge nothing is captured.
    if bootstrap.role == Role::Sidecar {
        forward_dns(&mut tasks, state.config.clone()).await?;
    }
    Ok(tasks)
}

/// Where `init` sends DNS queries if it captures them; nothing arrives if it does not.
async fn forward_dns(
    tasks: &mut JoinSet<()>,
    config: watch::Receiver<Option<Arc<Config>>>,
) -> Result<()> {
    let known = std::fs::read_to_string(RESOLVERS).unwrap_or_else(|error| {
        tracing::warn!(%error, "{RESOLVERS} is not readable, no DNS query will be answered");
        String::new()
    });
    let forwarder = Arc::new(Forwarder {
        resolvers: dns::resolvers(&known),
        patience: RESOLVER_PATIENCE,
        config,
    });
    for sockets in Sockets::loopback().await.context("bind the DNS port")? {
        tasks.spawn(Arc::clone(&forwarder).run(sockets));
    }
    Ok(())
}

fn application(pod: &Pod, bootstrap: &Bootstrap) -> Result<Application> {
    let address = *pod.addresses.first().context("the pod has no address")?;
    Ok(Application::new(
        address,
        &bootstrap.probes,
        &bootstrap.metrics,
    )?)
}

/// Hands each configuration to the workers, until the proxy is told to end.
pub(crate) async fn obey(
    state: &State,
    mut config: watch::Receiver<Option<Arc<Config>>>,
    start: impl Fn(Arc<Config>) -> std::io::Result<Workers>,
) -> Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    loop {
        let next = config.borrow_and_update().clone();
        if let Some(next) = next {
            state.obey(next, &start).context("start workers")?;
        }
        tokio::select! {
            changed = config.changed() => changed.context("the configuration's source is gone")?,
            _ = terminated.recv() => return Ok(()),
            _ = interrupted.recv() => return Ok(()),
            () = state.quit.notified() => return Ok(()),
        }
    }
}

/// Drains, while probes and scrapes are still answered: goes on for the first duration at least, for
/// the second one at most.
pub(crate) async fn end(
    (minimum, limit): (Duration, Duration),
    state: &State,
    tasks: &mut JoinSet<()>,
) {
    let workers = state.begin_drain();
    tracing::info!(connections = state.connections(), "draining");
    if let Some(workers) = workers {
        workers.shut_down(minimum, limit).await;
    }
    tasks.shutdown().await;
    state.metrics.close_logs();
    tracing::info!("ended");
}
