//! Settings of routes and managers that change how a request is sent on.

use super::support::{Proxy, Setup, head, run, server, text_of, until};
use crate::config::{HashKey, HashPolicy, LoadBalancing, Mirror, Underscores, WeightedCluster};
use crate::data::test_mesh;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

const GET: &str = "GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n";
const SOON: Duration = Duration::from_millis(50);

/// A server that answers everything with its name, and what it got.
async fn named(name: &'static str) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let (send, seen) = mpsc::unbounded_channel();
    let (address, _) = server(async move |mut socket: TcpStream| {
        let mut text = head(&mut socket).await;
        if text.contains("content-length: 4\r\n") {
            text += &until(&mut socket, "body").await;
        }
        send.send(text).unwrap();
        let length = name.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nset-cookie: own=1\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{name}"
        );
        socket.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    (address, seen)
}

fn body(answer: &str) -> &str {
    answer.rsplit_once("\r\n\r\n").unwrap().1
}

/// A server that takes all and never says anything.
async fn silent() -> SocketAddr {
    let (address, _) = server(async |mut socket: TcpStream| {
        let _ = tokio::io::copy(&mut socket, &mut tokio::io::sink()).await;
    })
    .await;
    address
}

fn mirrored(to: SocketAddr, shadow: SocketAddr, per_million: u32) -> Proxy {
    let mut setup = Setup::to(&[to]);
    setup.forward.mirrors = vec![Mirror {
        cluster: "shadow".into(),
        per_million,
        host_suffix: true,
    }];
    setup.more.push(test_mesh::cluster("shadow", shadow));
    setup.start()
}

#[test]
fn a_mirror_gets_a_copy_and_the_client_the_real_answer() {
    run(async {
        let (real, mut to_real) = named("real").await;
        let (shadow, mut to_shadow) = named("shadow").await;
        let post = "POST /x HTTP/1.1\r\nhost: a.test:80\r\nconnection: close\r\n\
                    content-length: 4\r\n\r\nbody";
        let proxy = mirrored(real, shadow, 1_000_000);
        assert!(proxy.ask(post).await.ends_with("real"));
        let (real, shadow) = (
            to_real.recv().await.unwrap(),
            to_shadow.recv().await.unwrap(),
        );
        assert!(real.contains("host: a.test:80\r\n"), "{real}");
        assert!(
            shadow.starts_with("POST /x HTTP/1.1\r\nhost: a.test-shadow:80\r\n"),
            "{shadow}"
        );
        assert!(shadow.ends_with("\r\n\r\nbody"), "{shadow}");
    });
}

#[test]
fn a_mirror_gets_its_share_only() {
    run(async {
        let (real, _seen) = named("real").await;
        let (shadow, mut to_shadow) = named("shadow").await;
        let proxy = mirrored(real, shadow, 0);
        assert!(proxy.ask(GET).await.ends_with("real"));
        assert!(to_shadow.try_recv().is_err());
    });
}

#[test]
fn a_client_without_the_cookie_is_given_one_and_then_stays_with_its_host() {
    run(async {
        let (one, _a) = named("one").await;
        let (two, _b) = named("two").await;
        let mut setup = Setup::to(&[one, two]);
        setup.cluster.lb = LoadBalancing::RingHash {
            minimum_ring_size: 1024,
        };
        let policy = HashPolicy::Cookie {
            name: "user".into(),
            path: "/".into(),
            ttl: Some(Duration::from_secs(60)),
        };
        let terminal = false;
        setup.forward.hash = vec![HashKey { policy, terminal }];
        let proxy = setup.start();
        let answer = proxy.ask(GET).await;
        assert!(answer.contains("set-cookie: own=1\r\n"), "{answer}");
        let line = answer
            .lines()
            .find(|line| line.starts_with("set-cookie: user="));
        let line = line.unwrap();
        assert!(line.ends_with("; Max-Age=60; Path=/; HttpOnly"), "{line}");
        let value = line.split('"').nth(1).unwrap();
        let again = format!(
            "GET / HTTP/1.1\r\nhost: a\r\ncookie: x=1; user=\"{value}\"\r\nconnection: close\r\n\r\n"
        );
        for _ in 0..5 {
            let next = proxy.ask(&again).await;
            assert!(!next.contains("set-cookie: user="), "{next}");
            assert_eq!(body(&next), body(&answer));
        }
    });
}

#[test]
fn a_replaced_host_is_kept_where_the_route_says_so() {
    run(async {
        let (real, mut seen) = named("real").await;
        let mut setup = Setup::to(&[real]);
        setup.forward.host_rewrite = Some("b.test".into());
        setup.forward.keep_host = true;
        setup.start().ask(GET).await;
        let seen = seen.recv().await.unwrap();
        assert!(
            seen.contains("host: b.test\r\n") && seen.contains("x-forwarded-host: a.test\r\n"),
            "{seen}"
        );
    });
}

#[test]
fn names_with_underscores_are_dropped_or_refused_where_the_manager_says_so() {
    run(async {
        let (real, mut seen) = named("real").await;
        let get = "GET / HTTP/1.1\r\nhost: a\r\nx_user: 1\r\nconnection: close\r\n\r\n";
        let under = |rule| {
            let mut setup = Setup::to(&[real]);
            setup.hcm.underscores = rule;
            setup.start()
        };
        let refused = under(Underscores::Reject).ask(get).await;
        assert!(refused.starts_with("HTTP/1.1 400 "), "{refused}");
        for (rule, passes) in [(Underscores::Drop, false), (Underscores::Allow, true)] {
            under(rule).ask(get).await;
            let seen = seen.recv().await.unwrap();
            assert_eq!(seen.contains("x_user: 1\r\n"), passes, "{seen}");
        }
    });
}

#[test]
fn a_missing_cluster_is_answered_as_the_route_says() {
    run(async {
        let mut setup = Setup::to(&[]);
        setup.forward.clusters = vec![Arc::new(WeightedCluster {
            name: "gone".into(),
            ..(*setup.forward.clusters[0]).clone()
        })];
        setup.forward.no_cluster_status = Some(500);
        let answer = setup.start().ask(GET).await;
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    });
}

#[test]
fn a_client_that_sends_its_body_too_slowly_gets_408() {
    run(async {
        let mut setup = Setup::to(&[silent().await]);
        setup.hcm.request_timeout = Some(SOON);
        let post = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nfive.";
        let answer = setup.start().ask(post).await;
        assert!(
            answer.starts_with("HTTP/1.1 408 ") && answer.ends_with("request timeout"),
            "{answer}"
        );
    });
}

#[test]
fn an_exchange_in_which_nothing_moves_is_given_up() {
    run(async {
        for (request, status) in [
            (GET, "HTTP/1.1 504 "),
            (
                "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nfive.",
                "HTTP/1.1 408 ",
            ),
        ] {
            let mut setup = Setup::to(&[silent().await]);
            setup.hcm.stream_idle_timeout = Some(SOON);
            let answer = setup.start().ask(request).await;
            assert!(
                answer.starts_with(status) && answer.ends_with("stream timeout"),
                "{answer}"
            );
        }
    });
}

#[test]
fn a_connection_ends_at_its_longest_duration_however_busy_it_is() {
    run(async {
        let (real, _seen) = named("real").await;
        let mut setup = Setup::to(&[real]);
        setup.hcm.max_connection_duration = Some(SOON);
        let proxy = setup.start();
        let mut client = proxy.connect().await;
        client
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        until(&mut client, "real").await;
        assert_eq!(text_of(&mut client).await, "");
    });
}
