//! Whole bootstraps, run by real workers on real sockets.

use super::{changed, loaded};
use crate::data::choose::state::Registry;
use crate::data::report::{Metrics, Workload};
use crate::data::run::Workers;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A port that stays reserved while the socket lives, and that workers may share.
fn reserved() -> (Socket, u16) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_reuse_port(true).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, port)
}

fn started(text: &str) -> Workers {
    let registry = Registry::new(Metrics::new(Workload::default()));
    Workers::start(1, loaded(text).config, &Arc::default(), &registry).unwrap()
}

/// Answers every request with its own first line.
async fn origin() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((connection, _)) = socket.accept().await {
            tokio::spawn(echo(connection));
        }
    });
    port
}

async fn echo(mut connection: TcpStream) {
    let mut head = Vec::new();
    while let Ok(byte) = connection.read_u8().await {
        head.push(byte);
        if head.ends_with(b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&head);
            let line = text.lines().next().unwrap_or_default();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{line}",
                line.len()
            );
            connection.write_all(answer.as_bytes()).await.unwrap();
            head.clear();
        }
    }
}

/// Status line and body of one request, as soon as somebody listens.
async fn get(port: u16, path: &str) -> (String, String) {
    let mut socket = loop {
        match TcpStream::connect(("127.0.0.1", port)).await {
            Ok(socket) => break socket,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    (status.to_owned(), body.to_owned())
}

#[tokio::test]
async fn the_sample_serves_its_routes_once_its_name_is_resolved() {
    let (_port, port) = reserved();
    let text = include_str!("../../../../samples/standalone.yaml");
    let listener = format!("address: 127.0.0.1, port_value: {port}");
    let backend = format!("address: localhost, port_value: {}", origin().await);
    let text = text.replace("address: 0.0.0.0, port_value: 8080", &listener);
    let text = text.replace("address: backend-service, port_value: 8080", &backend);
    let _workers = started(&text);
    let answer = loop {
        match get(port, "/apix").await {
            (status, _) if status.ends_with("503 Service Unavailable") => {}
            answer => break answer,
        }
    };
    let expected = ("HTTP/1.1 200 OK", "GET /apix HTTP/1.1");
    assert_eq!((answer.0.as_str(), answer.1.as_str()), expected);
    assert_eq!(get(port, "/").await.0, "HTTP/1.1 404 Not Found");
}

/// One root and a leaf for each name, as `xtask bench` makes them.
fn certificates(folder: &Path, names: [(&str, &str); 2]) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let save = |name: String, text: String| std::fs::write(folder.join(name), text).unwrap();
    save("root.pem".into(), root.pem());
    for (file, name) in names {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = match name.starts_with("spiffe:") {
            true => vec![SanType::URI(name.try_into().unwrap())],
            false => vec![SanType::DnsName(name.try_into().unwrap())],
        };
        save(
            format!("{file}.pem"),
            params.signed_by(&key, &root).unwrap().pem(),
        );
        save(format!("{file}-key.pem"), key.serialize_pem());
    }
}

fn tls(folder: &Path, direction: &str, own: &str, peer: &str) -> String {
    let folder = folder.display();
    let required = match direction {
        "Downstream" => "require_client_certificate: true, ",
        _ => "",
    };
    let kind = if peer.starts_with("spiffe:") {
        "URI"
    } else {
        "DNS"
    };
    format!(
        "transport_socket: {{name: envoy.transport_sockets.tls, typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.{direction}TlsContext, {required}\
         common_tls_context: {{alpn_protocols: [http/1.1], tls_certificates: [{{certificate_chain: {{filename: {folder}/{own}.pem}}, private_key: {{filename: {folder}/{own}-key.pem}}}}], \
         validation_context: {{trusted_ca: {{filename: {folder}/root.pem}}, match_typed_subject_alt_names: [{{san_type: {kind}, matcher: {{exact: \"{peer}\"}}}}]}}}}}}}}"
    )
}

/// Two proxies with mutual TLS between them; the answer that a client of the first one gets.
async fn through_a_pair(
    folder: &Path,
    server_expects: &str,
    client_expects: &str,
) -> (String, String) {
    let (_first, outer) = reserved();
    let (_second, inner) = reserved();
    let origin = origin().await;
    let outbound = changed("8081", &inner.to_string()).replace("8080", &outer.to_string());
    let upstream = tls(folder, "Upstream", "client", client_expects);
    let outbound = outbound.replace(
        "    type: STATIC",
        &format!("    type: STATIC\n    {upstream}"),
    );
    let inbound = changed("8081", &origin.to_string()).replace("8080", &inner.to_string());
    let downstream = tls(folder, "Downstream", "server", server_expects);
    let inbound = inbound.replace("  clusters:", &format!("      {downstream}\n  clusters:"));
    let _pair = (started(&inbound), started(&outbound));
    get(outer, "/").await
}

#[tokio::test]
async fn a_pair_of_bootstraps_speaks_mutual_tls_and_checks_names() {
    let folder = tempfile::tempdir().unwrap();
    let spiffe = ["spiffe://td/ns/a/sa/client", "spiffe://td/ns/a/sa/server"];
    for [client, server] in [spiffe, ["client.test", "server.test"]] {
        certificates(folder.path(), [("client", client), ("server", server)]);
        let (status, body) = through_a_pair(folder.path(), client, server).await;
        assert_eq!(
            (status.as_str(), body.as_str()),
            ("HTTP/1.1 200 OK", "GET / HTTP/1.1")
        );
        for (server_expects, client_expects) in [(server, server), (client, client)] {
            let (status, _) = through_a_pair(folder.path(), server_expects, client_expects).await;
            assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
        }
    }
}
