//! `weft-proxy run -c FILE`: a proxy by itself, from its start to its end.

use crate::admin::Admin;
use crate::config::Config;
use crate::data::choose::state::Registry;
use crate::data::report::{Metrics, Workload};
use crate::data::run::Workers;
use crate::data::secrets::Secrets;
use crate::file::{EndpointFiles, Loaded};
use crate::serve;
use crate::sidecar;
use crate::state::State;
use anyhow::Result;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How often files of endpoints are looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// Runs what a file says until the proxy is told to end; then lets requests end, `drain` at the most.
///
/// # Errors
/// What makes a start impossible: a port of the admin interface that is taken.
pub async fn run(loaded: Loaded, workers: usize, drain: Duration) -> Result<()> {
    let metrics = Metrics::new(Workload::default());
    let secrets = Arc::new(Secrets::default());
    let (publish, config) = watch::channel(Some(loaded.config));
    let state = Arc::new(State::new(
        Arc::clone(&metrics),
        Arc::clone(&secrets),
        config.clone(),
        false,
    ));
    let mut tasks = JoinSet::new();
    tasks.spawn(follow(loaded.endpoints, publish));
    if let Some(address) = loaded.admin {
        let listener = serve::bind(address).await?;
        let admin = Admin::new(Arc::clone(&state), loaded.node);
        tasks.spawn(serve::run(listener, Arc::new(admin)));
    }
    let registry = Registry::new(metrics);
    sidecar::obey(&state, config, |config| {
        Workers::start(workers, config, &secrets, &registry)
    })
    .await?;
    // Nobody routes to us by a list of endpoints that must first change.
    sidecar::end((Duration::ZERO, drain), &state, &mut tasks).await;
    Ok(())
}

/// Publishes what files of endpoints say, for ever: without its source the proxy would end.
async fn follow(mut files: EndpointFiles, publish: watch::Sender<Option<Arc<Config>>>) {
    if files.is_empty() {
        std::future::pending::<()>().await;
    }
    let mut period = tokio::time::interval(PERIOD);
    loop {
        period.tick().await;
        let (config, wrong) = files.refresh();
        for reason in wrong {
            tracing::warn!("{reason}; the last good endpoints stay");
        }
        if config.is_some() {
            publish.send_replace(config);
        }
    }
}
