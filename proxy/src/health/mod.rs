//! The ports that the kubelet and Prometheus ask: 15020, 15021, 15090.
//!
//! Flows in: questions. Flows out: readiness, the application's own probes asked on its behalf, and
//! metrics. Never changes anything.

mod application;
mod probe;

#[cfg(test)]
mod tests;

pub use application::{Application, BadSetting, Scrape};
pub use probe::Probe;

use crate::serve::{self, Answer, Answers};
use crate::state::State;
use futures::future::BoxFuture;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use std::sync::Arc;

/// Health and application probes.
pub const HEALTH_PORT: u16 = 15021;
/// Metrics of the application and the proxy.
pub const MERGED_PORT: u16 = 15020;
/// Metrics of the proxy.
pub const METRICS_PORT: u16 = 15090;

/// Answers all three ports: the paths do not collide.
#[derive(Debug)]
pub struct Health {
    /// The proxy.
    pub state: Arc<State>,
    /// The application beside it.
    pub application: Application,
    /// Whether `/stats/prometheus` has the application's metrics too.
    pub merged: bool,
}

impl Answers for Health {
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> BoxFuture<'static, Answer> {
        Box::pin(async move {
            match request.uri().path() {
                "/healthz/ready" => self.ready(),
                "/healthz/live" => serve::text(StatusCode::OK, "live\n"),
                "/stats/prometheus" | "/metrics" => self.metrics().await,
                path => match self.application.probe(path) {
                    Some(probe) => self.probed(probe, &request).await,
                    None => serve::text(StatusCode::NOT_FOUND, "not found\n"),
                },
            }
        })
    }
}

impl Health {
    fn ready(&self) -> Answer {
        match self.state.ready() {
            Ok(()) => serve::text(StatusCode::OK, "ready\n"),
            Err(reason) => serve::text(StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        }
    }

    async fn metrics(&self) -> Answer {
        let mut page = self.state.metrics.prometheus();
        if self.merged
            && let Some(more) = self.application.metrics().await
        {
            page.push_str(&more);
        }
        serve::prometheus(page)
    }

    async fn probed(&self, probe: &Probe, request: &Request<Incoming>) -> Answer {
        match probe.ask(self.application.address, request.headers()).await {
            Ok(status) => serve::text(status, ""),
            Err(reason) => serve::text(StatusCode::INTERNAL_SERVER_ERROR, format!("{reason}\n")),
        }
    }
}

/// Whether the proxy on this machine's loopback says that it is ready.
pub async fn is_ready(port: u16) -> bool {
    let asked = async {
        let socket = tokio::net::TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, port)).await?;
        let request = Request::get("/healthz/ready")
            .header("host", "localhost")
            .body(http_body_util::Empty::new())
            .map_err(std::io::Error::other)?;
        application::exchange(socket, request).await
    };
    asked
        .await
        .is_ok_and(|answer| answer.status() == StatusCode::OK)
}
