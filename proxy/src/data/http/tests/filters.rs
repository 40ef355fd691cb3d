//! Filters that are no policy: injected faults, CORS, the local rate limit.

use super::support::{Proxy, Setup, run, server, until};
use crate::config::{
    Abort, Append, Cors, Fault, HeaderEdit, HttpFilter, HttpFilterOverride, LocalRateLimit,
    StringMatch, TokenBucket,
};
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

const ALWAYS: u32 = 1_000_000;

/// A server that answers with CORS fields of its own, and how often it was asked.
async fn application() -> (SocketAddr, Rc<Cell<u32>>) {
    let asked: Rc<Cell<u32>> = Rc::default();
    let count = Rc::clone(&asked);
    let (address, _) = server(async move |mut socket| {
        until(&mut socket, "\r\n\r\n").await;
        count.set(count.get() + 1);
        let answer = b"HTTP/1.1 200 OK\r\naccess-control-allow-origin: theirs\r\n\
                       content-length: 2\r\nconnection: close\r\n\r\nok";
        socket.write_all(answer).await.unwrap();
    })
    .await;
    (address, asked)
}

fn proxy(server: SocketAddr, filter: HttpFilter, own: Option<(&str, HttpFilterOverride)>) -> Proxy {
    let mut setup = Setup::to(&[server]);
    setup.hcm.filters = vec![filter, HttpFilter::IstioStats];
    setup.overrides = own
        .into_iter()
        .map(|(name, own)| (name.into(), own))
        .collect();
    setup.start()
}

fn request(method: &str, fields: &str) -> String {
    format!("{method} / HTTP/1.1\r\nhost: a\r\n{fields}connection: close\r\n\r\n")
}

fn abort(abort: Abort) -> Arc<Fault> {
    Arc::new(Fault {
        delay: None,
        abort: Some((ALWAYS, abort)),
    })
}

/// The response flags that Istio's metric has seen.
fn flags(proxy: &Proxy) -> String {
    let metrics = proxy.metrics();
    let line = metrics
        .lines()
        .find(|line| line.starts_with("istio_requests_total{"));
    let flags = line.and_then(|line| line.split_once("response_flags=\""));
    flags.unwrap().1.split('"').next().unwrap().to_owned()
}

#[test]
fn an_aborted_request_never_reaches_the_server() {
    run(async {
        let (server, asked) = application().await;
        let proxy = proxy(server, HttpFilter::Fault(abort(Abort::Http(418))), None);
        let answer = proxy.ask(&request("GET", "")).await;
        assert!(answer.starts_with("HTTP/1.1 418 "), "{answer}");
        assert!(answer.ends_with("fault filter abort"), "{answer}");
        assert_eq!((asked.get(), flags(&proxy).as_str()), (0, "FI"));
        assert_eq!(proxy.stats()["http.test.fault.aborts_injected"], 1);
    });
}

#[test]
fn an_abort_by_grpc_status_is_told_in_grpcs_words() {
    run(async {
        let (server, _) = application().await;
        let proxy = proxy(server, HttpFilter::Fault(abort(Abort::Grpc(5))), None);
        let answer = proxy
            .ask(&request("POST", "content-type: application/grpc\r\n"))
            .await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains("grpc-status: 5\r\n"), "{answer}");
    });
}

#[test]
fn a_delayed_request_is_answered_later() {
    run(async {
        let (server, _) = application().await;
        let delay = Duration::from_millis(60);
        let fault = Fault {
            delay: Some((ALWAYS, delay)),
            abort: Some((0, Abort::Http(500))),
        };
        let proxy = proxy(server, HttpFilter::Fault(Arc::new(fault)), None);
        let started = Instant::now();
        let answer = proxy.ask(&request("GET", "")).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(started.elapsed() >= delay);
        assert_eq!(flags(&proxy), "DI");
    });
}

#[test]
fn a_route_changes_a_filter_or_switches_it_off() {
    run(async {
        let (server, _) = application().await;
        let name = "envoy.filters.http.fault";
        for (own, expected) in [
            (
                HttpFilterOverride::Fault(abort(Abort::Http(418))),
                "HTTP/1.1 418 ",
            ),
            (HttpFilterOverride::Disabled, "HTTP/1.1 200 "),
        ] {
            let filter = HttpFilter::Fault(abort(Abort::Http(500)));
            let answer = proxy(server, filter, Some((name, own)))
                .ask(&request("GET", ""))
                .await;
            assert!(answer.starts_with(expected), "{answer}");
        }
    });
}

#[test]
fn a_preflight_is_answered_and_an_actual_request_gets_its_fields() {
    run(async {
        let (server, asked) = application().await;
        let cors = Cors {
            origins: vec![StringMatch::Suffix(".test".into(), false)],
            methods: "GET,PUT".into(),
            max_age: "60".into(),
            expose: "x-mine".into(),
            credentials: Some(true),
            forward_unmatched_preflight: None,
            enabled_per_million: ALWAYS,
            ..Cors::default()
        };
        let own = HttpFilterOverride::Cors(Arc::new(cors));
        let proxy = proxy(
            server,
            HttpFilter::Cors,
            Some(("envoy.filters.http.cors", own)),
        );

        let fields = "origin: https://a.test\r\naccess-control-request-method: PUT\r\n";
        let preflight = proxy.ask(&request("OPTIONS", fields)).await;
        for part in [
            "HTTP/1.1 200 OK\r\n",
            "access-control-allow-origin: https://a.test\r\n",
            "access-control-allow-methods: GET,PUT\r\n",
            "access-control-allow-credentials: true\r\n",
            "access-control-max-age: 60\r\n",
        ] {
            assert!(preflight.contains(part), "{part}: {preflight}");
        }
        assert_eq!(asked.get(), 0);

        let actual = proxy
            .ask(&request("GET", "origin: https://a.test\r\n"))
            .await;
        assert!(
            actual.contains("access-control-allow-origin: https://a.test\r\n"),
            "{actual}"
        );
        assert!(
            actual.contains("access-control-expose-headers: x-mine\r\n"),
            "{actual}"
        );
        assert!(
            !actual.contains("theirs") && actual.ends_with("ok"),
            "{actual}"
        );

        let foreign = proxy.ask(&request("GET", "origin: https://evil\r\n")).await;
        assert!(
            foreign.contains("access-control-allow-origin: theirs\r\n"),
            "{foreign}"
        );
        let stats = proxy.stats();
        let counted =
            ["valid", "invalid"].map(|kind| stats[&format!("http.test.cors.origin_{kind}")]);
        assert_eq!(counted, [2, 1]);
    });
}

#[test]
fn what_is_over_the_local_rate_limit_gets_429() {
    run(async {
        let (server, asked) = application().await;
        let limit = LocalRateLimit {
            stat_prefix: "".into(),
            bucket: Some(TokenBucket::new(2, 1, Duration::from_secs(3600))),
            enabled_per_million: ALWAYS,
            enforced_per_million: ALWAYS,
            status: 429,
            resource_exhausted: false,
            response: HeaderEdit {
                remove: Vec::new(),
                add: vec![("x-mine".parse().unwrap(), "1".into(), Append::Append)],
            },
            headers: true,
        };
        let proxy = proxy(server, HttpFilter::LocalRateLimit(Arc::new(limit)), None);
        for remaining in [
            "x-ratelimit-remaining: 1\r\n",
            "x-ratelimit-remaining: 0\r\n",
        ] {
            let answer = proxy.ask(&request("GET", "")).await;
            assert!(
                answer.starts_with("HTTP/1.1 200 ") && answer.contains(remaining),
                "{answer}"
            );
        }
        let refused = proxy.ask(&request("GET", "")).await;
        assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
        assert!(refused.ends_with("local_rate_limited"), "{refused}");
        assert!(
            refused.contains("x-mine: 1\r\n") && refused.contains("x-ratelimit-limit: 2\r\n"),
            "{refused}"
        );
        assert_eq!(asked.get(), 2);
        assert_eq!(
            proxy.stats()["http.test.http_local_rate_limit.rate_limited"],
            1
        );
    });
}
