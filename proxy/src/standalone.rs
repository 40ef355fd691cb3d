//! `weft-proxy run -c FILE`: a proxy by itself, from its start to its end.

use crate::admin::Admin;
use crate::data::choose::state::Registry;
use crate::data::report::{Metrics, Workload};
use crate::data::run::Workers;
use crate::data::secrets::Secrets;
use crate::file::Loaded;
use crate::serve;
use crate::sidecar;
use crate::state::State;
use anyhow::Result;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Runs what a file says until the proxy is told to end; then lets requests end, `drain` at the most.
///
/// # Errors
/// What makes a start impossible: a port of the admin interface that is taken.
pub async fn run(loaded: Loaded, workers: usize, drain: Duration) -> Result<()> {
    let metrics = Metrics::new(Workload::default());
    let secrets = Arc::new(Secrets::default());
    // The sender stays here: the receivers must not think that the source is gone.
    let (_publish, config) = watch::channel(Some(Arc::clone(&loaded.config)));
    let state = Arc::new(State::new(
        Arc::clone(&metrics),
        Arc::clone(&secrets),
        config.clone(),
        false,
    ));
    let mut tasks = JoinSet::new();
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
