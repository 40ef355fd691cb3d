//! What is tried again, what must not be, and what the client gets when it cannot be.

use super::support::{Setup, run, server, until};
use crate::config::{Outlier, Retry, RetryOn, UpstreamProtocol};
use bytes::Bytes;
use http::Response;
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::spawn_local;

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

/// A server that answers each connection once, with `answer`; and how often it was asked.
async fn answering(answer: &'static str) -> (SocketAddr, Rc<Cell<u32>>) {
    let asked: Rc<Cell<u32>> = Rc::default();
    let count = Rc::clone(&asked);
    let (address, _) = server(async move |mut socket: TcpStream| {
        until(&mut socket, "\r\n\r\n").await;
        count.set(count.get() + 1);
        socket.write_all(answer.as_bytes()).await.unwrap();
        // What has not been read must not reset the answer.
        let _ = socket.shutdown().await;
        let _ = tokio::io::copy(&mut socket, &mut tokio::io::sink()).await;
    })
    .await;
    (address, asked)
}

const BUSY: &str = "HTTP/1.1 503 Busy\r\nx-theirs: 1\r\ncontent-length: 4\r\n\r\nbusy";

fn retrying(servers: &[SocketAddr], attempts: u32) -> Setup {
    let mut setup = Setup::to(servers);
    setup.forward.retry = Some(Retry {
        on: RetryOn::parse("5xx"),
        attempts,
        per_try_timeout: None,
        status_codes: Vec::new(),
        base_interval: Duration::ZERO,
        max_interval: Duration::ZERO,
        host_selection_attempts: 1,
        leave_priorities_after: None,
        avoid_previous_hosts: true,
    });
    setup
}

/// The upstream's own answer, not one of ours.
fn assert_theirs(answer: &str) {
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("busy"),
        "{answer}"
    );
    assert!(answer.contains("x-theirs: 1\r\n"), "{answer}");
}

#[test]
fn the_last_answer_is_the_clients_when_no_try_is_left() {
    run(async {
        let (server, asked) = answering(BUSY).await;
        assert_theirs(&retrying(&[server], 2).start().ask(GET).await);
        assert_eq!(asked.get(), 3);
    });
}

#[test]
fn an_answer_is_the_clients_when_no_retry_is_permitted() {
    run(async {
        let (server, asked) = answering(BUSY).await;
        let mut setup = retrying(&[server], 2);
        setup.cluster.limits.retries = 0;
        let proxy = setup.start();
        assert_theirs(&proxy.ask(GET).await);
        assert_eq!(asked.get(), 1);
        assert_eq!(
            proxy.stats()["cluster.backend.upstream_rq_retry_overflow"],
            1
        );
    });
}

#[test]
fn an_answer_is_the_clients_when_the_body_has_been_forgotten() {
    const SIZE: usize = 80 * 1024;
    run(async {
        let (server, _) = server(async |mut socket: TcpStream| {
            until(&mut socket, "the end").await;
            socket.write_all(BUSY.as_bytes()).await.unwrap();
        })
        .await;
        let proxy = retrying(&[server], 2).start();
        let body = "x".repeat(SIZE - 7) + "the end";
        let post = format!(
            "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {SIZE}\r\n\r\n{body}"
        );
        assert_theirs(&proxy.ask(&post).await);
    });
}

#[test]
fn outlier_detection_hears_of_answers_that_were_tried_again() {
    run(async {
        let (busy, asked) = answering(BUSY).await;
        let (good, _) = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        let mut setup = retrying(&[busy, good], 1);
        setup.cluster.panic_threshold = 0.0;
        setup.cluster.outlier = Some(Outlier {
            consecutive_5xx: Some(1),
            consecutive_gateway: None,
            consecutive_local: None,
            split_local: false,
            interval: Duration::from_secs(10),
            base_ejection: Duration::from_secs(30),
            max_ejection: Duration::from_secs(300),
            max_ejection_percent: 100,
        });
        let proxy = setup.start();
        for _ in 0..20 {
            let answer = proxy.ask(GET).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        assert!(
            asked.get() <= 1,
            "{} requests to an ejected host",
            asked.get()
        );
    });
}

/// A server whose connections answer one request, and take the next but close without a word; and
/// what it got.
async fn closing_on_the_second() -> (SocketAddr, Rc<RefCell<Vec<String>>>) {
    let seen: Rc<RefCell<Vec<String>>> = Rc::default();
    let all = Rc::clone(&seen);
    let (address, _) = server(async move |mut socket: TcpStream| {
        let all = Rc::clone(&all);
        spawn_local(async move {
            let first = until(&mut socket, "\r\n\r\n").await;
            all.borrow_mut().push(first);
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            socket.write_all(answer).await.unwrap();
            let mut second = Vec::new();
            socket.read_buf(&mut second).await.unwrap();
            all.borrow_mut().push(String::from_utf8(second).unwrap());
        });
    })
    .await;
    (address, seen)
}

#[test]
fn only_what_may_be_repeated_is_sent_again_after_a_connection_died() {
    run(async {
        for (method, status, sent) in [("GET", 200, 2), ("PUT", 200, 2), ("POST", 503, 1)] {
            let (server, seen) = closing_on_the_second().await;
            let proxy = Setup::to(&[server]).start();
            let mut client = proxy.connect().await;
            client
                .write_all(b"GET /first HTTP/1.1\r\nhost: a\r\n\r\n")
                .await
                .unwrap();
            until(&mut client, "ok").await;
            let second =
                format!("{method} /second HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
            client.write_all(second.as_bytes()).await.unwrap();
            let answer = until(
                &mut client,
                if status == 200 { "ok" } else { "termination" },
            )
            .await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{answer}"
            );
            let times = seen
                .borrow()
                .iter()
                .filter(|head| head.contains("/second"))
                .count();
            assert_eq!(times, sent, "{method}");
        }
    });
}

#[test]
fn requests_that_come_together_share_one_dial() {
    run(async {
        let connections: Rc<Cell<u32>> = Rc::default();
        let count = Rc::clone(&connections);
        let (server, _) = server(async move |socket: TcpStream| {
            count.set(count.get() + 1);
            spawn_local(async move {
                let mut connection = h2::server::handshake(socket).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    let response: Response<()> = Response::default();
                    let mut body = respond.send_response(response, false).unwrap();
                    body.send_data(Bytes::from_static(b"ok"), true).unwrap();
                }
            });
        })
        .await;
        let mut setup = Setup::to(&[server]);
        setup.cluster.protocol = UpstreamProtocol::Http2;
        let proxy = setup.start();
        let answers = futures::future::join_all((0..20).map(|_| proxy.ask(GET))).await;
        for answer in answers {
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        assert_eq!(connections.get(), 1);
    });
}

#[test]
fn requests_that_wait_for_a_dial_that_fails_all_learn_why() {
    run(async {
        let (server, task) = server(async |_: TcpStream| {}).await;
        task.abort();
        let _ = task.await;
        let mut setup = Setup::to(&[server]);
        setup.cluster.protocol = UpstreamProtocol::Http2;
        let proxy = setup.start();
        let answers = futures::future::join_all((0..5).map(|_| proxy.ask(GET))).await;
        for answer in answers {
            assert!(
                answer.contains("reset reason: remote connection failure"),
                "{answer}"
            );
        }
    });
}
