//! The admin interface over a real socket.

use super::Admin;
use crate::config::{Cluster, Config, TlsClient, TlsIdentity};
use crate::data::report::{Metrics, Recorder, Workload};
use crate::data::secrets::Secrets;
use crate::data::{test_conn, test_mesh};
use crate::serve;
use crate::state::State;
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use weft_proto::pb::envoy::config::core::v3::Node;

const KEY: &str = "-----BEGIN PRIVATE KEY-----";

/// An admin interface of a proxy that has an identity and one cluster.
async fn admin() -> (SocketAddr, Arc<State>) {
    let mut cluster = test_mesh::cluster("backend", "10.0.0.1:80".parse().unwrap());
    cluster.tls = Some(Arc::new(TlsClient {
        identity: Some(TlsIdentity::Pem {
            chain: "the chain".into(),
            key: KEY.into(),
        }),
        roots: None,
        sans: Vec::new(),
        sni: None,
        auto_sni: false,
        auto_san: false,
        alpn: Vec::new(),
        tls12: false,
    }));
    let secrets = Arc::new(Secrets::default());
    let identity = test_mesh::Root::new().identity("cart");
    secrets.store(Some(Arc::new(identity)));
    let (_, config) = watch::channel(Some(Arc::new(config(cluster))));
    let metrics = Metrics::new(Workload::default());
    let recorder = Recorder::new(Arc::clone(&metrics), Arc::clone(&secrets));
    recorder.http(&"inbound".into()).rq_total.increment();
    let state = State::new(metrics, secrets, config, true);
    let state = Arc::new(state);
    let node = Node {
        id: "sidecar~10.0.0.9~cart.shop~shop.svc.cluster.local".into(),
        ..Node::default()
    };
    let listener = serve::bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let admin = Admin::new(Arc::clone(&state), node);
    tokio::spawn(serve::run(listener, Arc::new(admin)));
    (address, state)
}

fn config(cluster: Cluster) -> Config {
    let listener = Arc::new(test_conn::listener(Vec::new()));
    Config {
        listeners: [(Arc::clone(&listener.name), listener)].into(),
        clusters: [(Arc::clone(&cluster.name), Arc::new(cluster))].into(),
        ..Config::default()
    }
}

/// Status and body.
async fn ask(address: SocketAddr, line: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn each_page_says_what_the_proxy_knows() {
    let (address, _) = admin().await;
    for (line, status, part) in [
        ("GET /", 200, "/config_dump"),
        ("GET /ready", 503, "PRE_INITIALIZING: no configuration"),
        ("GET /stats", 200, "http.inbound.downstream_rq_total: 1\n"),
        ("GET /stats/prometheus", 200, "# TYPE "),
        ("GET /stats?format=prometheus", 200, "# TYPE "),
        (
            "GET /clusters",
            200,
            "backend::10.0.0.1:80::health_flags::healthy\n",
        ),
        ("GET /listeners", 200, "test::127.0.0.1:0\n"),
        ("GET /config_dump", 200, "the chain"),
        ("GET /certs", 200, "spiffe://td/ns/shop/sa/cart"),
        ("GET /server_info", 200, "sidecar~10.0.0.9~cart.shop"),
        ("GET /logging", 200, ""),
        ("GET /nothing", 404, "/config_dump"),
    ] {
        let (code, body) = ask(address, line).await;
        assert_eq!(code, status, "{line}: {body}");
        assert!(body.contains(part), "{line}: {body}");
    }
}

#[tokio::test]
async fn no_page_shows_a_key() {
    let (address, _) = admin().await;
    for line in [
        "GET /config_dump",
        "GET /certs",
        "GET /clusters",
        "GET /server_info",
    ] {
        let (_, body) = ask(address, line).await;
        assert!(!body.contains("PRIVATE KEY"), "{line}: {body}");
    }
}

#[tokio::test]
async fn machines_can_read_the_pages_that_are_json() {
    let (address, _) = admin().await;
    for line in ["GET /config_dump", "GET /certs", "GET /server_info"] {
        let (_, body) = ask(address, line).await;
        assert!(
            serde_json::from_str::<Value>(&body).is_ok(),
            "{line}: {body}"
        );
    }
}

#[tokio::test]
async fn only_a_post_changes_anything() {
    let (address, state) = admin().await;
    for path in [
        "/healthcheck/fail",
        "/healthcheck/ok",
        "/quitquitquit",
        "/logging?level=debug",
    ] {
        assert_eq!(ask(address, &format!("GET {path}")).await.0, 405, "{path}");
    }
    assert_eq!(ask(address, "POST /healthcheck/fail").await.0, 200);
    let (_, body) = ask(address, "GET /ready").await;
    assert!(body.contains("failed by the admin interface"), "{body}");
    assert_eq!(ask(address, "POST /healthcheck/ok").await.0, 200);
    assert_eq!(ask(address, "POST /quitquitquit").await.0, 200);
    state.quit.notified().await;
}
