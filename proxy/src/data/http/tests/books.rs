//! What metrics and access logs say of the other side of an mTLS connection.

use super::support::{hcm, run, server, table, text_of, until};
use crate::config::{
    AccessLog, ChainMatch, Direction, FilterChain, HttpFilter, Listener, LogFormat, Routes,
    Terminal, Transport,
};
use crate::data::test_conn;
use crate::data::test_mesh::{Proxy, Root, cluster, over_mesh_tls, terminating, uri};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Terminates mesh TLS in front of `application`.
fn callee(root: &Root, application: SocketAddr) -> Proxy {
    let matches = ChainMatch {
        transport: Some(Transport::Tls),
        ..ChainMatch::default()
    };
    let listener = Listener {
        direction: Direction::Inbound,
        tls_inspector: true,
        ..test_conn::listener(vec![terminating(test_conn::chain("mtls", matches))])
    };
    let clusters = vec![cluster("tcp", application)];
    Proxy::start(Some(root.identity("server")), listener, clusters)
}

/// Forwards HTTP to `callee` over mesh TLS, and logs to `file`.
fn caller(root: &Root, callee: SocketAddr, file: &Path) -> Proxy {
    let mut hcm = hcm();
    hcm.routes = Routes::Inline(table("backend"));
    hcm.filters = vec![HttpFilter::IstioStats];
    hcm.access_log = vec![AccessLog {
        path: file.to_str().unwrap().into(),
        format: LogFormat::Text(
            "%UPSTREAM_LOCAL_ADDRESS% %UPSTREAM_PEER_URI_SAN% %REQUEST_DURATION%\n".into(),
        ),
        only_flag: None,
    }];
    let chain = FilterChain {
        terminal: Terminal::Http(Arc::new(hcm)),
        ..test_conn::chain("http", ChainMatch::default())
    };
    let listener = Listener {
        direction: Direction::Outbound,
        ..test_conn::listener(vec![Arc::new(chain)])
    };
    let clusters = vec![over_mesh_tls(cluster("backend", callee), "server")];
    Proxy::start(Some(root.identity("client")), listener, clusters)
}

#[test]
fn the_caller_writes_down_who_answered_and_over_which_address() {
    run(async {
        let (application, _) = server(async |mut socket: TcpStream| {
            until(&mut socket, "\r\n\r\n").await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            socket.write_all(answer).await.unwrap();
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        let root = Root::new();
        let callee = callee(&root, application);
        let caller = caller(&root, callee.address, &file);

        let mut client = TcpStream::connect(caller.address).await.unwrap();
        let get = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        client.write_all(get).await.unwrap();
        let answer = text_of(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

        let line = &caller.lines("istio_requests_total")[0];
        let principal = format!("destination_principal=\"{}\"", uri("server"));
        assert!(line.contains(&principal), "{line}");
        caller.metrics.close_logs();
        let log = std::fs::read_to_string(&file).unwrap();
        let words: Vec<&str> = log.split_ascii_whitespace().collect();
        assert!(words[0].starts_with("127.0.0.1:"), "{log}");
        assert_eq!(words[1], uri("server"));
        assert!(words[2].parse::<u64>().is_ok(), "{log}");
    });
}
