//! The program `weft-operator`.

use anyhow::Context as _;
use clap::Parser;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch::Receiver;
use tokio_util::sync::CancellationToken;
use weft_operator::context::Context;
use weft_operator::leader::{Election, lost};
use weft_operator::settings::Settings;
use weft_operator::{controller, crds, serve};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let settings = Settings::parse();
    weft_telemetry::start(&settings.log, settings.log_format.parse()?)?;
    // Only a second call in one process can fail, and there is none.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let kube = kube::Client::try_default()
        .await
        .context("no API server is configured; run in a pod, or set KUBECONFIG")?;
    let cx = Arc::new(Context::new(
        kube,
        settings.image.clone(),
        (settings.namespace.clone(), settings.name.clone()),
    ));
    let monitoring = tokio::spawn(serve::monitoring(settings.listen, cx.metrics.clone()));
    let stop = CancellationToken::new();
    let ended = tokio::select! {
        ended = lead(&cx, &settings, &stop) => ended,
        served = monitoring => served?.context("health and metrics cannot be served"),
        never = stop_on_signal(&stop) => never,
    };
    tracing::info!("the operator ends");
    ended
}

/// Cancels `stop` at the first signal; what is at work then ends by itself.
async fn stop_on_signal(stop: &CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    stop.cancel();
    std::future::pending().await
}

/// Waits to lead, leads, and ends when another replica does or `stop` is cancelled.
async fn lead(
    cx: &Arc<Context>,
    settings: &Settings,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut election = Election::join(cx.kube.clone(), &settings.namespace, &settings.name)
        .await
        .context("the lease cannot be used")?;
    tokio::select! {
        won = election.won() => anyhow::ensure!(won, "the election has ended; the pod is restarted"),
        () = stop.cancelled() => return Ok(()),
    }
    tracing::info!("this replica leads");
    cx.metrics.leads(true);
    if !crds::bring(&cx.kube).await {
        tokio::spawn(crds::keep_bringing(cx.kube.clone()));
    }
    let over = over(election.view(), stop.clone());
    controller::run(cx.clone(), &settings.namespace, over).await;
    // Another replica may be at work already: a fresh process starts from what the cluster holds.
    anyhow::ensure!(
        stop.is_cancelled(),
        "another replica leads; this one is restarted"
    );
    election.resign().await;
    Ok(())
}

/// Waits until this replica leads no more, or shall end.
async fn over(view: Receiver<bool>, stop: CancellationToken) {
    tokio::select! {
        () = lost(view) => {}
        () = stop.cancelled() => {}
    }
}
