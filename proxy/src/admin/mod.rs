//! The admin interface on the pod's loopback, with Envoy's paths.
//!
//! Flows in: a person's questions, and a few wishes by POST. Flows out: what the proxy knows and
//! obeys. Never shows a key.

mod pages;

use crate::serve::{self, Answer, Answers};
use crate::state::State;
use futures::future::BoxFuture;
use http::{Method, Request, StatusCode, Uri};
use hyper::body::Incoming;
use std::sync::Arc;
use weft_proto::pb::envoy::config::core::v3::Node;

/// Answers port 15000.
#[derive(Debug)]
pub struct Admin {
    state: Arc<State>,
    node: Node,
}

impl Answers for Admin {
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> BoxFuture<'static, Answer> {
        Box::pin(async move { self.page(request.method(), request.uri()) })
    }
}

impl Admin {
    /// An admin interface of the proxy `state`, known to the control plane as `node`.
    pub fn new(state: Arc<State>, node: Node) -> Self {
        Self { state, node }
    }

    fn page(&self, method: &Method, uri: &Uri) -> Answer {
        let state = &self.state;
        match (method, uri.path()) {
            (&Method::GET, "/" | "/help") => serve::text(StatusCode::OK, pages::HELP),
            (&Method::GET, "/ready") => match state.ready() {
                Ok(()) => serve::text(StatusCode::OK, "LIVE\n"),
                Err(reason) => serve::text(
                    StatusCode::SERVICE_UNAVAILABLE,
                    format!("PRE_INITIALIZING: {reason}\n"),
                ),
            },
            (&Method::GET, "/stats") if wants(uri, "format=prometheus") => {
                serve::prometheus(state.metrics.prometheus())
            }
            (&Method::GET, "/stats") => serve::text(StatusCode::OK, pages::stats(state)),
            (&Method::GET, "/stats/prometheus") => serve::prometheus(state.metrics.prometheus()),
            (&Method::GET, "/clusters") => serve::text(StatusCode::OK, pages::clusters(state)),
            (&Method::GET, "/listeners") => serve::text(StatusCode::OK, pages::listeners(state)),
            (&Method::GET, "/config_dump") => serve::json(&pages::config_dump(state)),
            (&Method::GET, "/certs") => serve::json(&pages::certs(state)),
            (&Method::GET, "/server_info") => serve::json(&pages::server_info(state, &self.node)),
            (&Method::GET | &Method::POST, "/logging") => logging(method, uri),
            (&Method::POST, "/quitquitquit") => {
                state.quit.notify_one();
                serve::text(StatusCode::OK, "OK\n")
            }
            (&Method::POST, "/healthcheck/fail") => self.health(true),
            (&Method::POST, "/healthcheck/ok") => self.health(false),
            (_, "/quitquitquit" | "/healthcheck/fail" | "/healthcheck/ok") => {
                serve::text(StatusCode::METHOD_NOT_ALLOWED, "use POST\n")
            }
            _ => serve::text(StatusCode::NOT_FOUND, pages::HELP),
        }
    }

    fn health(&self, failed: bool) -> Answer {
        self.state.fail(failed);
        serve::text(StatusCode::OK, "OK\n")
    }
}

fn wants(uri: &Uri, setting: &str) -> bool {
    let query = uri.query().unwrap_or_default();
    query.split('&').any(|part| part == setting)
}

/// `?level=debug` sets all of it, `?filter=weft=debug,warn` a whole filter; without, the current one.
fn logging(method: &Method, uri: &Uri) -> Answer {
    let query = uri.query().unwrap_or_default();
    let wish = query
        .split('&')
        .find_map(|part| part.strip_prefix("level=").or(part.strip_prefix("filter=")));
    if wish.is_some() && method != Method::POST {
        return serve::text(
            StatusCode::METHOD_NOT_ALLOWED,
            "use POST to change the filter\n",
        );
    }
    let wish = wish.map(|text| percent_encoding::percent_decode_str(text).decode_utf8_lossy());
    match weft_telemetry::level(wish.as_deref()) {
        Ok(now) => serve::text(StatusCode::OK, format!("{now}\n")),
        Err(error) => serve::text(StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}

#[cfg(test)]
mod tests;
