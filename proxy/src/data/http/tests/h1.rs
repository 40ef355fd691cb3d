use super::support::{Proxy, Setup, head, run, server, text_of, until};
use crate::data::drain::Phase;
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const GET: &str = "GET / HTTP/1.1\r\nhost: a.test\r\n\r\n";
const GET_AND_CLOSE: &str = "GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server that answers each bodiless request with `ok`, and how many connections it got.
async fn simple() -> (SocketAddr, Rc<Cell<u32>>) {
    let connections: Rc<Cell<u32>> = Rc::default();
    let count = Rc::clone(&connections);
    let (address, _) = server(async move |mut stream: TcpStream| {
        count.set(count.get() + 1);
        tokio::task::spawn_local(async move {
            let mut bytes = Vec::new();
            while stream.read_buf(&mut bytes).await.unwrap_or(0) > 0 {
                while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                    bytes.drain(..end + 4);
                    stream.write_all(OK).await.unwrap();
                }
            }
        });
    })
    .await;
    (address, connections)
}

/// A server that reads what ends with `end`, answers, closes, and hands over what it read.
async fn once(end: &'static str, answer: &'static str) -> (SocketAddr, Rc<Cell<String>>) {
    let seen: Rc<Cell<String>> = Rc::default();
    let hand_over = Rc::clone(&seen);
    let (address, _) = server(async move |mut stream: TcpStream| {
        hand_over.set(until(&mut stream, end).await);
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    (address, seen)
}

fn to(server: SocketAddr) -> Proxy {
    Setup::to(&[server]).start()
}

#[test]
fn a_client_and_an_upstream_connection_carry_many_requests() {
    run(async {
        let (server, connections) = simple().await;
        let proxy = to(server);
        let mut client = proxy.connect().await;
        for _ in 0..5 {
            client.write_all(GET.as_bytes()).await.unwrap();
            let answer = until(&mut client, "ok").await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        }
        assert_eq!(connections.get(), 1);
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    run(async {
        let (server, _) = simple().await;
        let answer = to(server).ask(&format!("{GET}{GET}{GET_AND_CLOSE}")).await;
        assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3);
        assert_eq!(answer.matches("connection: close").count(), 1);
    });
}

#[test]
fn the_upstream_gets_a_clean_request() {
    run(async {
        let (server, seen) = once("\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n").await;
        let answer = to(server)
            .ask(
                "GET /a/../b?c HTTP/1.1\r\nHost: a.test\r\nConnection: x-hop, close\r\n\
                 X-Hop: 1\r\nX-Forwarded-Client-Cert: forged\r\nX-Kept: yes\r\n\r\n",
            )
            .await;
        assert!(
            answer.starts_with("HTTP/1.1 204 No Content\r\n"),
            "{answer}"
        );
        let seen = seen.take();
        assert!(
            seen.starts_with("GET /b?c HTTP/1.1\r\nhost: a.test\r\nx-kept: yes\r\n"),
            "{seen}"
        );
        assert!(seen.contains("x-forwarded-proto: http\r\n") && seen.contains("x-request-id: "));
        assert!(!seen.contains("forged") && !seen.contains("x-hop"));
    });
}

#[test]
fn bodies_stream_both_ways_in_bounded_memory() {
    const SIZE: usize = 32 << 20;
    run(async {
        let (server, _) = server(async |mut stream: TcpStream| {
            head(&mut stream).await;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .await
                .unwrap();
            let (mut read, mut write) = stream.into_split();
            let mut left = SIZE;
            let mut buffer = vec![0; 64 * 1024];
            while left > 0 {
                let count = read.read(&mut buffer).await.unwrap();
                left -= count;
                write
                    .write_all(format!("{count:x}\r\n").as_bytes())
                    .await
                    .unwrap();
                write.write_all(&buffer[..count]).await.unwrap();
                write.write_all(b"\r\n").await.unwrap();
            }
            write.write_all(b"0\r\nx-sum: 1\r\n\r\n").await.unwrap();
        })
        .await;
        let proxy = to(server);
        let (mut read, mut write) = proxy.connect().await.into_split();
        let head = format!(
            "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {SIZE}\r\n\r\n"
        );
        let send = async {
            write.write_all(head.as_bytes()).await.unwrap();
            for _ in 0..SIZE >> 16 {
                write.write_all(&[b'Z'; 1 << 16]).await.unwrap();
            }
        };
        let mut answer = Vec::new();
        let (_, count) = tokio::join!(send, read.read_to_end(&mut answer));
        assert!(count.unwrap() > SIZE);
        assert_eq!(answer.iter().filter(|byte| **byte == b'Z').count(), SIZE);
        assert!(answer.ends_with(b"\r\n0\r\nx-sum: 1\r\n\r\n"));
    });
}

#[test]
fn an_upstream_that_closed_an_idle_connection_costs_no_request() {
    run(async {
        // Answers one request on each connection, then closes it without saying so.
        let (server, _) = once("\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        let proxy = to(server);
        let mut client = proxy.connect().await;
        for _ in 0..3 {
            let post = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n";
            client.write_all(post.as_bytes()).await.unwrap();
            let answer = until(&mut client, "ok").await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        }
    });
}

#[test]
fn a_refused_connection_is_told_in_envoys_words() {
    run(async {
        let (server, task) = server(async |_: TcpStream| {}).await;
        task.abort();
        let _ = task.await;
        let answer = to(server).ask(GET_AND_CLOSE).await;
        assert!(
            answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
            "{answer}"
        );
        assert!(
            answer.contains(
                "upstream connect error or disconnect/reset before headers. \
                 reset reason: remote connection failure"
            ),
            "{answer}"
        );
    });
}

#[test]
fn a_request_that_cannot_be_read_is_refused_and_closed() {
    run(async {
        let (server, _) = simple().await;
        let proxy = to(server);
        for (request, status) in [
            ("GET / HTTP/1.1\r\n\r\n", 400),
            (
                "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
                400,
            ),
            (
                "GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n",
                501,
            ),
            ("GET / HTTP/1.0\r\n\r\n", 426),
            (
                "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
                400,
            ),
            (
                "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\nconnection: close\r\n\r\n",
                405,
            ),
        ] {
            let answer = proxy.ask(request).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{request:?}: {answer}"
            );
        }
    });
}

#[test]
fn a_draining_connection_ends_after_its_request() {
    run(async {
        let (server, _) = simple().await;
        let proxy = to(server);
        let mut idle = proxy.connect().await;
        let mut busy = proxy.connect().await;
        busy.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        idle.write_all(GET.as_bytes()).await.unwrap();
        until(&mut idle, "ok").await;

        proxy.drain.advance(Phase::Draining);

        assert_eq!(text_of(&mut idle).await, "");
        busy.write_all(b"host: a\r\n\r\n").await.unwrap();
        let answer = text_of(&mut busy).await;
        assert!(
            answer.contains("connection: close\r\n") && answer.ends_with("ok"),
            "{answer}"
        );
    });
}

#[test]
fn a_websocket_is_a_tunnel_after_101_only() {
    run(async {
        let (server, _) = server(async |mut stream: TcpStream| {
            let head = until(&mut stream, "\r\n\r\n").await;
            assert!(
                head.contains("upgrade: websocket\r\n") && head.contains("connection: upgrade")
            );
            let granted = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\
                           connection: upgrade\r\n\r\nhello";
            stream.write_all(granted.as_bytes()).await.unwrap();
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.unwrap();
            stream.write_all(&rest).await.unwrap();
        })
        .await;
        let proxy = to(server);
        let mut client = proxy.connect().await;
        let ask =
            "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
        client.write_all(ask.as_bytes()).await.unwrap();
        let head = until(&mut client, "hello").await;
        assert!(
            head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
            "{head}"
        );
        client.write_all(b"bytes and their end").await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(text_of(&mut client).await, "bytes and their end");
    });
}

#[test]
fn an_expectation_reaches_the_upstream_and_its_answer_the_client() {
    run(async {
        let (server, _) = server(async |mut stream: TcpStream| {
            let head = until(&mut stream, "\r\n\r\n").await;
            assert!(head.contains("expect: 100-continue\r\n"), "{head}");
            stream
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
                .await
                .unwrap();
            until(&mut stream, "body").await;
            stream.write_all(OK).await.unwrap();
        })
        .await;
        let proxy = to(server);
        let mut client = proxy.connect().await;
        let ask = "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
        client.write_all(ask.as_bytes()).await.unwrap();
        assert_eq!(
            until(&mut client, "\r\n\r\n").await,
            "HTTP/1.1 100 Continue\r\n\r\n"
        );
        client.write_all(b"body").await.unwrap();
        assert!(
            until(&mut client, "ok")
                .await
                .starts_with("HTTP/1.1 200 OK\r\n")
        );
    });
}
