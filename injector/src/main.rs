//! `weft-injector`: the mutating webhook of the mesh.

use anyhow::{Context, Result};
use clap::Parser;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use weft_injector::admission::serve::TlsListener;
use weft_injector::admission::tls::{Certificate, server_config};
use weft_injector::admission::{App, monitoring_router, router};
use weft_injector::metrics::Metrics;
use weft_injector::watch;

/// How long reviews are still taken after SIGTERM, until every API server has heard of it.
const LAME_DUCK: Duration = Duration::from_secs(5);
/// How long reviews in flight may then take.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// Start-up settings; everything else is in the ConfigMap weft-injection.
#[derive(Debug, Parser)]
#[command(
    name = "weft-injector",
    version,
    about = "Adds Weft's sidecar to new pods"
)]
struct Settings {
    /// Namespace of the mesh.
    #[arg(long, env = "POD_NAMESPACE", default_value = "weft-system")]
    namespace: String,
    /// Address of the webhook.
    #[arg(long, env = "WEFT_LISTEN", default_value = "[::]:15017")]
    listen: SocketAddr,
    /// Address of health and metrics without TLS.
    #[arg(long, env = "WEFT_MONITORING", default_value = "[::]:15014")]
    monitoring: SocketAddr,
    /// Log filter.
    #[arg(long, env = "WEFT_LOG", default_value = "warn,weft=info")]
    log: String,
    /// `text` or `json`.
    #[arg(long, env = "WEFT_LOG_FORMAT", default_value = "text")]
    log_format: weft_telemetry::Format,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let settings = Settings::parse();
    weft_telemetry::start(&settings.log, settings.log_format).context("log filter")?;
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let client = kube::Client::try_default()
        .await
        .context("no way to the API server is configured")?;
    let (metrics, certificate) = (
        Arc::new(Metrics::default()),
        Arc::new(Certificate::default()),
    );
    let (world, watches) = watch::world(client);
    let watches = watches.run(
        settings.namespace.clone(),
        certificate.clone(),
        metrics.clone(),
    );
    let app = Arc::new(App {
        world,
        certificate,
        metrics,
        ending: AtomicBool::new(false),
    });

    let stop = CancellationToken::new();
    let watching = tokio::spawn(watches);
    let mut serving = tokio::spawn(serve(settings, app.clone(), stop.clone()));
    tokio::select! {
        ended = &mut serving => return ended.context("the server panicked")?,
        signal = told_to_end() => signal?,
    }
    app.ending.store(true, Ordering::Relaxed);
    tokio::time::sleep(LAME_DUCK).await;
    stop.cancel();
    let served = tokio::time::timeout(DRAIN_LIMIT, serving).await;
    watching.abort();
    served
        .context("reviews in flight took too long")?
        .context("the server panicked")?
}

async fn told_to_end() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

async fn serve(settings: Settings, app: Arc<App>, stop: CancellationToken) -> Result<()> {
    let bind = |address| async move {
        TcpListener::bind(address)
            .await
            .with_context(|| format!("{address} cannot be listened on"))
    };
    let webhook = TlsListener::new(
        bind(settings.listen).await?,
        server_config(app.certificate.clone()),
    )?;
    let monitoring = bind(settings.monitoring).await?;
    tracing::info!(
        "reviews on {}, health on {}",
        settings.listen,
        settings.monitoring
    );
    let webhook = axum::serve(webhook, router(app.clone()))
        .with_graceful_shutdown(stop.clone().cancelled_owned());
    let monitoring = axum::serve(monitoring, monitoring_router(app))
        .with_graceful_shutdown(stop.cancelled_owned());
    tokio::try_join!(webhook, monitoring)?;
    Ok(())
}
