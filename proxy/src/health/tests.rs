//! Probes and scrapes over real sockets.

use super::{Application, Health, Probe};
use crate::data::report::{Metrics, Workload};
use crate::data::secrets::Secrets;
use crate::serve::{self, Answer, Answers};
use crate::state::State;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// An application that is well if it is asked as its probe says.
struct App;

impl Answers for App {
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> BoxFuture<'static, Answer> {
        let asked = request
            .headers()
            .get("x-probe")
            .map(|value| value.as_bytes().to_vec());
        let answer = match (request.uri().path(), asked.as_deref()) {
            ("/well", Some(b"yes")) => serve::text(StatusCode::OK, "fine"),
            ("/moved", _) => serve::text(StatusCode::FOUND, ""),
            ("/metrics", _) => serve::text(StatusCode::OK, "app_requests 3"),
            _ => serve::text(StatusCode::IM_A_TEAPOT, ""),
        };
        Box::pin(async { answer })
    }
}

async fn serving<A: Answers>(answers: A) -> u16 {
    let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(serve::run(listener, Arc::new(answers)));
    port
}

fn state() -> Arc<State> {
    let metrics = Metrics::new(Workload::default());
    let (_, config) = watch::channel(None);
    Arc::new(State::new(
        metrics,
        Arc::new(Secrets::default()),
        config,
        true,
    ))
}

async fn get(port: u16, path: &str) -> Response<Bytes> {
    let socket = TcpStream::connect((LOCAL, port)).await.unwrap();
    let request = Request::get(path)
        .header("host", "x")
        .body(Empty::new())
        .unwrap();
    super::application::exchange(socket, request).await.unwrap()
}

async fn ask(probe: serde_json::Value) -> Result<u16, String> {
    let probe: Probe = serde_json::from_value(probe).unwrap();
    let answer = probe.ask(LOCAL, &HeaderMap::new()).await;
    answer
        .map(|status| status.as_u16())
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_probe_is_asked_as_kubernetes_would_ask_it() {
    let port = serving(App).await;
    let header = serde_json::json!([{"name": "X-Probe", "value": "yes"}]);
    let get = |path: &str| serde_json::json!({"httpGet": {"port": port, "path": path}});
    let with =
        serde_json::json!({"httpGet": {"port": port, "path": "/well", "httpHeaders": header}});
    assert_eq!(ask(with).await, Ok(200));
    assert_eq!(ask(get("/well")).await, Ok(418));
    assert_eq!(ask(get("/moved")).await, Ok(302));
    assert_eq!(
        ask(serde_json::json!({"tcpSocket": {"port": port}})).await,
        Ok(200)
    );
}

#[tokio::test]
async fn an_application_that_listens_nowhere_fails_its_probe() {
    let free = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    assert!(
        ask(serde_json::json!({"tcpSocket": {"port": port}}))
            .await
            .is_err()
    );
    assert!(
        ask(serde_json::json!({"grpc": {"port": port}}))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_proxy_without_a_certificate_says_so_instead_of_being_ready() {
    let application = Application::new(LOCAL, "{}", "").unwrap();
    let health = Health {
        state: state(),
        application,
        merged: false,
    };
    let port = serving(health).await;
    let answer = get(port, "/healthz/ready").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.body().starts_with(b"no certificate"));
    assert_eq!(get(port, "/healthz/live").await.status(), StatusCode::OK);
    assert_eq!(
        get(port, "/app-health/x/livez").await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn the_merged_page_has_the_applications_metrics_too() {
    let app = serving(App).await;
    let metrics = serde_json::json!({"port": app.to_string(), "path": "/metrics"}).to_string();
    let probes = serde_json::json!({"/app-health/a/readyz": {"tcpSocket": {"port": app}}});
    let application = Application::new(LOCAL, &probes.to_string(), &metrics).unwrap();
    let health = Health {
        state: state(),
        application,
        merged: true,
    };
    let port = serving(health).await;
    let page = get(port, "/stats/prometheus").await;
    let text = String::from_utf8_lossy(page.body()).into_owned();
    assert!(text.ends_with("app_requests 3\n"), "{text}");
    assert_eq!(
        get(port, "/app-health/a/readyz").await.status(),
        StatusCode::OK
    );
}

#[test]
fn a_probe_setting_that_is_not_json_is_named() {
    let error = Application::new(LOCAL, "{", "").unwrap_err();
    assert!(error.to_string().starts_with("WEFT_APP_PROBES: "));
}
