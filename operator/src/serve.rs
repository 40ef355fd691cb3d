//! Health and metrics over plain HTTP.

use crate::metrics::Metrics;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Serves `/healthz`, `/readyz` and `/metrics` for ever.
///
/// A replica that waits to lead is ready: it can take over at any time.
///
/// # Errors
/// If the address is taken.
pub async fn monitoring(address: SocketAddr, metrics: Arc<Metrics>) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(|| async { "ok\n" }))
        .route(
            "/metrics",
            get(|State(metrics): State<Arc<Metrics>>| async move { metrics.text() }),
        )
        .with_state(metrics);
    axum::serve(listener, router).await
}
