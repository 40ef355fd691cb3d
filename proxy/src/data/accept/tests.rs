use crate::config::{
    ChainMatch, Cluster, Direction, Discovery, Endpoint, FilterChain, Listener, Locality,
    NetworkFilter, Rbac, RbacAction, RbacRules, Transport,
};
use crate::data::drain::Phase;
use crate::data::test_conn;
use crate::data::test_mesh::{Proxy, Root, application, cluster, over_mesh_tls, terminating, uri};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

fn tcp_listener() -> Listener {
    let chain = test_conn::chain("tcp", ChainMatch::default());
    Listener {
        direction: Direction::Outbound,
        ..test_conn::listener(vec![Arc::new(chain)])
    }
}

/// Accepts mesh TLS only.
fn strict() -> Listener {
    let matches = ChainMatch {
        transport: Some(Transport::Tls),
        ..ChainMatch::default()
    };
    Listener {
        direction: Direction::Inbound,
        tls_inspector: true,
        ..test_conn::listener(vec![terminating(test_conn::chain("mtls", matches))])
    }
}

/// Accepts plaintext of any protocol, and looks for HTTP without ever giving up.
fn automatic() -> Listener {
    let chain = test_conn::chain("plain", ChainMatch::default());
    Listener {
        direction: Direction::Inbound,
        tls_inspector: true,
        http_inspector: true,
        detect_timeout: Duration::ZERO,
        ..test_conn::listener(vec![Arc::new(chain)])
    }
}

/// Sends `bytes`, ends, and reads to the end.
async fn exchange(proxy: &Proxy, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let socket = TcpStream::connect(proxy.address).await?;
    let (mut read, mut write) = socket.into_split();
    let sending = async {
        write.write_all(bytes).await?;
        write.shutdown().await
    };
    let mut answer = Vec::new();
    let (sent, received) = tokio::join!(sending, read.read_to_end(&mut answer));
    received.and(sent).map(|()| answer)
}

/// A client's proxy and a server's with mesh TLS between them. The client expects `account`.
async fn pair(account: &str) -> (Proxy, Proxy) {
    let root = Root::new();
    let app = application(b"").await;
    let inbound = Proxy::start(
        Some(root.identity("server")),
        strict(),
        vec![cluster("tcp", app)],
    );
    let upstream = over_mesh_tls(cluster("tcp", inbound.address), account);
    let outbound = Proxy::start(
        Some(root.identity("client")),
        tcp_listener(),
        vec![upstream],
    );
    (outbound, inbound)
}

#[tokio::test]
async fn two_proxies_carry_bytes_over_mutual_tls_and_know_each_other() {
    LocalSet::new()
        .run_until(async {
            let (outbound, inbound) = pair("server").await;
            let bytes: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_be_bytes).collect();
            assert!(
                exchange(&outbound, &bytes).await.unwrap() == bytes,
                "bytes differ"
            );

            let line = &inbound.lines("istio_tcp_received_bytes_total")[0];
            for part in [
                format!("source_principal=\"{}\"", uri("client")),
                format!("destination_principal=\"{}\"", uri("server")),
                "source_workload=\"own\"".to_owned(),
                "connection_security_policy=\"mutual_tls\"".to_owned(),
                "} 4000000".to_owned(),
            ] {
                assert!(line.contains(&part), "no {part} in {line}");
            }
            let line = &outbound.lines("istio_tcp_sent_bytes_total")[0];
            assert!(line.contains(&format!("destination_principal=\"{}\"", uri("server"))));
        })
        .await;
}

#[tokio::test]
async fn the_caller_knows_the_workload_that_the_control_plane_names() {
    LocalSet::new()
        .run_until(async {
            let endpoint = Endpoint {
                workload: Some("reviews-v1;shop;reviews;v1;Kubernetes".into()),
                ..Endpoint::at(application(b"").await)
            };
            let locality = Locality {
                endpoints: vec![Arc::new(endpoint)],
                ..Locality::default()
            };
            let discovery = Discovery::Static(Arc::new(vec![locality]));
            let upstream = Cluster {
                discovery,
                ..test_conn::cluster("tcp")
            };
            let proxy = Proxy::start(None, tcp_listener(), vec![upstream]);
            exchange(&proxy, b"x").await.unwrap();
            let line = &proxy.lines("istio_tcp_connections_opened_total")[0];
            assert!(
                line.contains("destination_workload=\"reviews-v1\""),
                "{line}"
            );
            assert!(
                line.contains("destination_canonical_service=\"reviews\""),
                "{line}"
            );
        })
        .await;
}

#[tokio::test]
async fn a_server_with_another_identity_gets_no_byte() {
    LocalSet::new()
        .run_until(async {
            let (outbound, inbound) = pair("somebody-else").await;
            // The end, or a reset if the request was still on its way.
            let answer = exchange(&outbound, b"secret").await.unwrap_or_default();
            assert_eq!(answer, b"");
            assert!(inbound.lines("istio_tcp_received_bytes_total").is_empty());
            let line = &outbound.lines("istio_tcp_connections_closed_total")[0];
            assert!(line.contains("response_flags=\"UF\""), "{line}");
        })
        .await;
}

#[tokio::test]
async fn a_client_of_another_root_is_refused() {
    LocalSet::new()
        .run_until(async {
            let (_, inbound) = pair("server").await;
            let stranger = Root::new().identity("client");
            let upstream = over_mesh_tls(cluster("tcp", inbound.address), "server");
            let outbound = Proxy::start(Some(stranger), tcp_listener(), vec![upstream]);
            assert_eq!(
                exchange(&outbound, b"secret").await.unwrap_or_default(),
                b""
            );
            assert!(inbound.lines("istio_tcp_received_bytes_total").is_empty());
        })
        .await;
}

#[tokio::test]
async fn a_rotated_certificate_is_used_at_once_and_open_connections_go_on() {
    LocalSet::new()
        .run_until(async {
            let root = Root::new();
            let app = application(b"hello").await;
            let inbound = Proxy::start(
                Some(root.identity("old")),
                strict(),
                vec![cluster("tcp", app)],
            );
            let old = over_mesh_tls(cluster("tcp", inbound.address), "old");
            let client = Proxy::start(Some(root.identity("client")), tcp_listener(), vec![old]);
            let mut open = TcpStream::connect(client.address).await.unwrap();
            let mut greeting = [0; 5];
            open.read_exact(&mut greeting).await.unwrap();

            inbound
                .worker
                .secrets
                .store(Some(Arc::new(root.identity("new"))));
            let new = over_mesh_tls(cluster("tcp", inbound.address), "new");
            let other = Proxy::start(Some(root.identity("client")), tcp_listener(), vec![new]);
            assert_eq!(exchange(&other, b"!").await.unwrap(), b"hello!");

            open.write_all(b"still here").await.unwrap();
            open.shutdown().await.unwrap();
            let mut rest = String::new();
            open.read_to_string(&mut rest).await.unwrap();
            assert_eq!(rest, "still here");
        })
        .await;
}

#[tokio::test]
async fn plaintext_to_a_strict_port_is_reset_and_the_application_hears_nothing() {
    LocalSet::new()
        .run_until(async {
            let (_, inbound) = pair("server").await;
            let mut socket = TcpStream::connect(inbound.address).await.unwrap();
            socket
                .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
                .await
                .unwrap();
            let error = socket.read(&mut [0; 64]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
            assert!(
                inbound
                    .lines("istio_tcp_connections_opened_total")
                    .is_empty()
            );
        })
        .await;
}

#[tokio::test]
async fn a_server_that_speaks_first_is_heard_while_the_client_is_silent() {
    LocalSet::new()
        .run_until(async {
            let app = application(b"220 smtp ready\r\n").await;
            let inbound = Proxy::start(None, automatic(), vec![cluster("tcp", app)]);
            let mut socket = TcpStream::connect(inbound.address).await.unwrap();
            // Detection never times out here: only the server's own bytes can decide.
            let mut banner = [0; 16];
            socket.read_exact(&mut banner).await.unwrap();
            assert_eq!(&banner, b"220 smtp ready\r\n");
            socket.write_all(b"QUIT").await.unwrap();
            socket.shutdown().await.unwrap();
            let mut rest = String::new();
            socket.read_to_string(&mut rest).await.unwrap();
            assert_eq!(rest, "QUIT");
        })
        .await;
}

#[tokio::test]
async fn what_detection_read_reaches_the_server() {
    LocalSet::new()
        .run_until(async {
            let app = application(b"").await;
            let inbound = Proxy::start(None, automatic(), vec![cluster("tcp", app)]);
            for bytes in [&b"\0binary"[..], b"hello", b"GET key\r\n", b""] {
                assert_eq!(exchange(&inbound, bytes).await.unwrap(), bytes);
            }
        })
        .await;
}

#[tokio::test]
async fn a_connection_that_was_not_redirected_has_no_original_destination_to_go_to() {
    LocalSet::new()
        .run_until(async {
            let listener = Listener {
                original_dst: true,
                use_original_dst: true,
                ..tcp_listener()
            };
            let passthrough = Cluster {
                discovery: Discovery::OriginalDst,
                ..test_conn::cluster("tcp")
            };
            let proxy = Proxy::start(None, listener, vec![passthrough]);
            // A loop would hang here; the end or a reset shows that there is none.
            assert_eq!(exchange(&proxy, b"x").await.unwrap_or_default(), b"");
            let line = &proxy.lines("istio_tcp_connections_closed_total")[0];
            assert!(line.contains("response_flags=\"UH\""), "{line}");
        })
        .await;
}

#[tokio::test]
async fn an_open_connection_ends_when_its_chain_is_stopped() {
    LocalSet::new()
        .run_until(async {
            let app = application(b"hello").await;
            let proxy = Proxy::start(None, tcp_listener(), vec![cluster("tcp", app)]);
            let mut socket = TcpStream::connect(proxy.address).await.unwrap();
            socket.read_exact(&mut [0; 5]).await.unwrap();
            proxy.worker.listeners().advance(Phase::Draining);
            socket.write_all(b"goes on").await.unwrap();
            proxy.worker.listeners().advance(Phase::Stopped);
            assert!(matches!(socket.read(&mut [0; 8]).await, Ok(0) | Err(_)));
        })
        .await;
}

#[tokio::test]
async fn a_client_that_shares_no_protocol_is_served_without_one() {
    LocalSet::new()
        .run_until(async {
            let root = Root::new();
            let app = application(b"").await;
            let server = Some(root.identity("server"));
            let inbound = Proxy::start(server, strict(), vec![cluster("tcp", app)]);
            let mut upstream = over_mesh_tls(cluster("tcp", inbound.address), "server");
            let tls = Arc::get_mut(upstream.tls.as_mut().unwrap()).unwrap();
            tls.alpn = vec!["postgresql".into()];
            let client = Some(root.identity("client"));
            let outbound = Proxy::start(client, tcp_listener(), vec![upstream]);
            assert_eq!(exchange(&outbound, b"hello").await.unwrap(), b"hello");
        })
        .await;
}

#[tokio::test]
async fn a_network_policy_refuses_before_the_application_is_dialled() {
    LocalSet::new()
        .run_until(async {
            let app = application(b"hello").await;
            let rules = RbacRules {
                action: RbacAction::Allow,
                policies: Vec::new(),
            };
            let rbac = Rbac {
                rules: Some(rules),
                shadow: None,
                shadow_prefix: "".into(),
            };
            let chain = FilterChain {
                filters: vec![NetworkFilter::Rbac(Arc::new(rbac))],
                ..test_conn::chain("tcp", ChainMatch::default())
            };
            let listener = Listener {
                filter_chains: vec![Arc::new(chain)],
                ..automatic()
            };
            let proxy = Proxy::start(None, listener, vec![cluster("tcp", app)]);
            let answer = exchange(&proxy, b"\0x").await.unwrap_or_default();
            assert_eq!(answer, b"");
            let stats = proxy.metrics.stats();
            assert_eq!(stats["tcp.tcp.rbac.denied"], 1);
            assert!(proxy.lines("istio_tcp_connections_opened_total").is_empty());
        })
        .await;
}
