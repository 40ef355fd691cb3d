//! The webhook's HTTP side: reviews in, answers out.
//!
//! Flows in: `AdmissionReview` v1 over HTTPS. Flows out: the same with a patch, a refusal or neither.
//! `review` reads and writes the messages, `tls` keeps the certificate current, `serve` the
//! connections. Must never decide anything about a pod.

mod review;
pub mod serve;
pub mod tls;

use crate::decide::{Decision, Skip, decide};
use crate::metrics::Metrics;
use crate::watch::World;
use crate::{Namespace, Subject, Verdict};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use review::Request;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use weft_api::injection::InjectionSettings;

/// Largest review: a pod of etcd's limit, once as object and once as old object.
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// What the handlers share.
#[derive(Debug)]
pub struct App {
    /// What is known of the cluster.
    pub world: Arc<World>,
    /// The webhook's certificate.
    pub certificate: Arc<tls::Certificate>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Set when the program is told to end, so that no more reviews are sent here.
    pub ending: AtomicBool,
}

/// Everything that the webhook answers to.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", post(inject))
        .route("/inject", post(inject))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .merge(monitoring())
        .with_state(app)
}

/// Only health and metrics, for a port without TLS.
pub fn monitoring_router(app: Arc<App>) -> Router {
    monitoring().with_state(app)
}

fn monitoring() -> Router<Arc<App>> {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route(
            "/metrics",
            get(|State(app): State<Arc<App>>| async move { app.metrics.render() }),
        )
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    let unready = |why: &'static str| (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    if app.ending.load(Ordering::Relaxed) {
        unready("ending\n")
    } else if !app.certificate.is_there() {
        unready("waiting for Secret weft-injector-tls, which the operator writes\n")
    } else if app.world.settings().is_none() {
        unready("waiting for ConfigMap weft-injection, which the operator writes\n")
    } else {
        "ok\n".into_response()
    }
}

async fn inject(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let started = Instant::now();
    let request = match review::read(&body) {
        Ok(request) => request,
        Err(malformed) => {
            app.metrics
                .count(("refused", "MalformedReview"), started.elapsed());
            return (StatusCode::BAD_REQUEST, format!("{malformed}\n")).into_response();
        }
    };
    let Some(settings) = app.world.settings() else {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "settings are not read yet; try again\n",
        )
            .into_response();
    };
    if !request.is_for_new_pod() {
        return review::untouched(&request.uid).into_response();
    }
    let verdict = judge(&app.world, &request, &settings).await;
    app.metrics.count(verdict.labels(), started.elapsed());
    log(&request, &verdict);
    review::answer(&request, &verdict).into_response()
}

async fn judge(world: &World, request: &Request, settings: &InjectionSettings) -> Verdict {
    let pod = match Subject::new(request.object.clone()) {
        Ok(pod) => pod,
        Err(refused) => return Verdict::Denied(refused),
    };
    let namespace = namespace(world, request, &pod, settings).await;
    crate::review(&pod, &namespace, settings)
}

/// The cache may be a moment behind the API server, which asks us only about pods that somebody has
/// opted in: where the cache says that nobody has, the API server is asked once.
async fn namespace(
    world: &World,
    request: &Request,
    pod: &Subject,
    settings: &InjectionSettings,
) -> Namespace {
    let cached = world.namespace(&request.namespace);
    match decide(&pod.typed, &cached, settings) {
        Ok(Decision::Skip(Skip::NotEnabled)) => world
            .fresh_namespace(&request.namespace)
            .await
            .unwrap_or(cached),
        Ok(_) | Err(_) => cached,
    }
}

fn log(request: &Request, verdict: &Verdict) {
    let pod = request.pod_name();
    match verdict {
        Verdict::Injected { .. } => tracing::debug!("{pod}: injected"),
        Verdict::Skipped { skip, .. } => tracing::debug!("{pod}: skipped: {skip}"),
        Verdict::Denied(refused) => tracing::info!("{pod}: refused: {refused}"),
    }
}
