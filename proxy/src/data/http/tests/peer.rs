//! Peer metadata: what proxies tell each other and nobody else.

use super::support::{Setup, run, server};
use crate::config::{Direction, HttpFilter, Listener, ServiceLabels};
use crate::data::report::{Metrics, Recorder, Workload};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The headers of the proxy beside `name`.
fn announced(name: &str) -> String {
    let own = Workload {
        name: name.into(),
        namespace: "shop".into(),
        ..Workload::default()
    };
    let recorder = Recorder::new(Metrics::new(own), Arc::default());
    let (id, metadata) = recorder.announcement();
    format!("x-envoy-peer-metadata-id: {id}\r\nx-envoy-peer-metadata: {metadata}\r\n")
}

/// What the server saw, what the client got and what was counted, when both add headers.
async fn exchanged(direction: Direction, client: &str, answer: &str) -> (String, String, String) {
    exchanged_with(false, direction, client, answer).await
}

/// The same with a server that may be outside the mesh.
async fn exchanged_with(
    external: bool,
    direction: Direction,
    client: &str,
    answer: &str,
) -> (String, String, String) {
    let seen = Rc::new(RefCell::new(String::new()));
    let (saw, answer) = (Rc::clone(&seen), answer.to_owned());
    let (address, _server) = server(async move |mut socket| {
        let mut bytes = vec![0; 4096];
        let count = socket.read(&mut bytes).await.unwrap();
        *saw.borrow_mut() = String::from_utf8_lossy(&bytes[..count]).into_owned();
        let answer = format!("HTTP/1.1 200 OK\r\n{answer}content-length: 0\r\n\r\n");
        socket.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let mut setup = Setup::to(&[address]);
    setup.hcm.filters = vec![HttpFilter::PeerMetadata, HttpFilter::IstioStats];
    setup.cluster.external = external;
    setup.cluster.service = Some(ServiceLabels {
        host: "h".into(),
        ..ServiceLabels::default()
    });
    let listener = Listener {
        direction,
        ..(*setup.conn.listener).clone()
    };
    setup.conn.listener = Arc::new(listener);
    let proxy = setup.start();
    let request = format!("GET / HTTP/1.1\r\nhost: a\r\n{client}connection: close\r\n\r\n");
    let got = proxy.ask(&request).await;
    let metrics = proxy.metrics();
    let line = metrics
        .lines()
        .find(|line| line.starts_with("istio_requests_total{"));
    (seen.take(), got, line.unwrap_or_default().to_owned())
}

#[test]
fn a_callee_learns_the_caller_and_its_application_does_not() {
    run(async {
        let caller = announced("ratings");
        let (seen, got, line) = exchanged(Direction::Inbound, &caller, "").await;
        assert!(!seen.contains("peer-metadata"), "{seen}");
        assert!(got.contains("x-envoy-peer-metadata: "), "{got}");
        assert!(line.contains("source_workload=\"ratings\""), "{line}");
        assert!(
            line.contains("source_workload_namespace=\"shop\""),
            "{line}"
        );
    });
}

#[test]
fn a_caller_that_said_nothing_is_told_nothing() {
    run(async {
        let forged = announced("forged");
        let (_, got, line) = exchanged(Direction::Inbound, "", &forged).await;
        assert!(!got.contains("peer-metadata"), "{got}");
        assert!(line.contains("source_workload=\"unknown\""), "{line}");
    });
}

#[test]
fn a_caller_announces_itself_and_keeps_the_answer_from_its_application() {
    run(async {
        let forged = announced("forged");
        let callee = announced("reviews");
        let (seen, got, line) = exchanged(Direction::Outbound, &forged, &callee).await;
        assert_eq!(seen.matches("x-envoy-peer-metadata: ").count(), 1, "{seen}");
        assert!(
            !seen.contains(forged.split("\r\n").nth(1).unwrap()),
            "{seen}"
        );
        assert!(!got.contains("peer-metadata"), "{got}");
        assert!(line.contains("destination_workload=\"reviews\""), "{line}");
    });
}

#[test]
fn nobody_outside_the_mesh_is_told_who_calls() {
    run(async {
        let forged = announced("forged");
        let (seen, ..) = exchanged_with(true, Direction::Outbound, &forged, "").await;
        assert!(seen.starts_with("GET / "), "{seen}");
        assert!(!seen.contains("peer-metadata"), "{seen}");
    });
}
