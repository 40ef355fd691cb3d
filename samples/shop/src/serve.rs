//! The server of every role: HTTP/1.1 and HTTP/2 on one port, health, an orderly end.

use anyhow::{Context, Result};
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::net::Ipv6Addr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// How long requests are still taken after SIGTERM: clients hear of it a little later than we do.
const LAME_DUCK: Duration = Duration::from_secs(3);

/// An answer of another service that is no good.
#[derive(Debug)]
pub(crate) struct Bad(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Bad {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Bad {
    fn into_response(self) -> Response {
        (StatusCode::BAD_GATEWAY, format!("{:#}\n", self.0)).into_response()
    }
}

/// Serves until SIGTERM or Ctrl-C, and then what is in flight.
pub(crate) async fn until_told_to_end(router: Router, port: u16) -> Result<()> {
    let router = router.route("/healthz", get(|| async { "ok\n" }));
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
        .await
        .with_context(|| format!("port {port} cannot be listened on"))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let end = async move {
        tokio::select! {
            _ = terminate.recv() => tokio::time::sleep(LAME_DUCK).await,
            _ = interrupt.recv() => {}
        }
    };
    axum::serve(listener, router)
        .with_graceful_shutdown(end)
        .await?;
    Ok(())
}
