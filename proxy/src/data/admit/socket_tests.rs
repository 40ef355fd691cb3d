//! Policies as a user writes them, on sockets: two proxies with mutual TLS between them.

use crate::config::{Listener, Transport};
use crate::control::decode;
use crate::data::test_conn;
use crate::data::test_mesh::{Proxy, Root, application, cluster, over_mesh_tls};
use bytes::Bytes;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};
use weft_model::{Node, Snapshot};
use weft_proto::type_url::LISTENER;

/// `web` may GET everything but `/admin`; `db-client` may use the database, `bad` nothing.
const POLICIES: &str = "
kind: MeshSettings
trustDomain: td
---
apiVersion: v1
kind: Pod
metadata: {name: server-1, namespace: shop, labels: {app: server}}
spec: {serviceAccountName: server, containers: [{name: app}]}
status: {podIP: 10.0.0.9}
---
apiVersion: v1
kind: Service
metadata: {name: server, namespace: shop}
spec: {clusterIP: 10.96.1.9, selector: {app: server}, ports: [{name: http, port: 8080}, {name: tcp-db, port: 5432}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: readers, namespace: shop}
spec: {rules: [{from: [{source: {principals: [td/ns/shop/sa/web, td/ns/shop/sa/bad]}}], to: [{operation: {methods: [GET]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: database, namespace: shop}
spec: {rules: [{from: [{source: {serviceAccounts: [db-client, bad]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-admin, namespace: shop}
spec: {action: DENY, rules: [{to: [{operation: {paths: [/admin]}}], from: [{source: {principals: [td/ns/shop/sa/web]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-bad, namespace: shop}
spec: {action: DENY, rules: [{from: [{source: {principals: [td/ns/shop/sa/bad]}}]}]}
";

/// What the control plane tells the proxy of `server-1` of one port, on whatever port the test has;
/// `more` is YAML that comes after the policies.
fn inbound(port: u16, more: &str) -> Listener {
    let yaml = format!("{POLICIES}{more}");
    let (snapshot, problems) = Snapshot::build(&weft_testkit::objects(&yaml));
    assert_eq!(problems, []);
    let node = Node {
        namespace: "shop".into(),
        pod: "server-1".into(),
        ..Node::default()
    };
    let (resources, _) = weft_translate::resources(&snapshot.view(&node));
    let mut listeners = resources.of(LISTENER);
    let (_, any) = listeners
        .find(|(name, _)| &***name == "virtualInbound")
        .unwrap();
    let mut listener = decode::listener(any).unwrap();
    listener
        .filter_chains
        .retain(|chain| chain.matches.destination_port == Some(port));
    for chain in &mut listener.filter_chains {
        Arc::make_mut(chain).matches.destination_port = None;
    }
    let transports = listener.filter_chains.iter();
    let transports: Vec<_> = transports.map(|chain| chain.matches.transport).collect();
    assert!(transports.contains(&Some(Transport::Tls)), "{transports:?}");
    listener
}

/// Answers every request with 200 and its path.
async fn web_server() -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    spawn_local(async move {
        while let Ok((mut connection, _)) = socket.accept().await {
            spawn_local(async move {
                let mut bytes = Vec::new();
                while !bytes.ends_with(b"\r\n\r\n") {
                    if connection.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
                // The proxy may have gone by now.
                let _ = connection.write_all(answer).await;
            });
        }
    });
    address
}

/// The proxy of `server-1`, and that of `account` towards it; the account `-` is a client without mesh.
async fn pair(account: &str, port: u16, more: &str) -> (SocketAddr, Proxy, Option<Proxy>) {
    let root = Root::new();
    let app = match port {
        8080 => web_server().await,
        _ => application(b"").await,
    };
    let clusters = vec![cluster(&format!("inbound|{port}||"), app)];
    let server = Proxy::start(Some(root.identity("server")), inbound(port, more), clusters);
    if account == "-" {
        return (server.address, server, None);
    }
    let chain = test_conn::chain("tcp", crate::config::ChainMatch::default());
    let outbound = Listener {
        direction: crate::config::Direction::Outbound,
        ..test_conn::listener(vec![Arc::new(chain)])
    };
    let upstream = over_mesh_tls(cluster("tcp", server.address), "server");
    let client = Proxy::start(Some(root.identity(account)), outbound, vec![upstream]);
    (client.address, server, Some(client))
}

async fn http1(address: SocketAddr, method: &str, path: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: server\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

async fn http2(address: SocketAddr, method: &str, path: &str) -> (u16, String) {
    let socket = TcpStream::connect(address).await.unwrap();
    let (send, connection) = h2::client::handshake(socket).await.unwrap();
    let driver = spawn_local(async move {
        // It ends with the test.
        let _ = connection.await;
    });
    let mut send: h2::client::SendRequest<Bytes> = send.ready().await.unwrap();
    let request = http::Request::builder()
        .method(method)
        .uri(format!("http://server{path}"));
    let (response, _) = send.send_request(request.body(()).unwrap(), true).unwrap();
    let (head, mut body) = response.await.unwrap().into_parts();
    let mut text = Vec::new();
    while let Some(data) = body.data().await {
        text.extend_from_slice(&data.unwrap());
    }
    driver.abort();
    (head.status.as_u16(), String::from_utf8(text).unwrap())
}

#[tokio::test]
#[rustfmt::skip]
async fn requests_are_admitted_by_identity_method_and_path() {
    LocalSet::new().run_until(async {
        let table = [
            // caller        method  path                    status
            ("web",          "GET",  "/",                    200),
            ("web",          "GET",  "/admin",               403), // DENY before ALLOW
            ("web",          "GET",  "/admin?x",             403),
            ("web",          "GET",  "/x/../%61dmin",        403),
            ("web",          "POST", "/",                    403), // nothing allows it
            ("db-client",    "POST", "/admin",               200), // the denial is for another
            ("bad",          "GET",  "/",                    403), // allowed and denied
            ("nobody",       "GET",  "/",                    403),
            ("-",            "GET",  "/",                    403), // plaintext is nobody
        ];
        for (caller, method, path, status) in table {
            let (address, server, _client) = pair(caller, 8080, "").await;
            let body = if status == 200 { "ok" } else { "RBAC: access denied" };
            let expected = (status, body.to_owned());
            assert_eq!(http1(address, method, path).await, expected, "HTTP/1 {caller} {method} {path}");
            assert_eq!(http2(address, method, path).await, expected, "HTTP/2 {caller} {method} {path}");
            let stats = server.metrics.stats();
            let denied = stats.iter().find(|(name, _)| name.ends_with(".rbac.denied"));
            let denied = denied.map_or(0, |(_, count)| *count);
            assert_eq!(denied, if status == 200 { 0 } else { 2 }, "{caller} {method} {path}");
        }
    }).await;
}

async fn echoed(address: SocketAddr, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(bytes).await?;
    socket.shutdown().await?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn connections_are_admitted_by_identity_and_rules_on_http_open_none() {
    LocalSet::new()
        .run_until(async {
            for (caller, passes) in [
                ("db-client", true),
                ("web", false), // its ALLOW rule asks for a method, its DENY rule counts without path
                ("bad", false),
                ("nobody", false),
                ("-", false),
            ] {
                let (address, _server, _client) = pair(caller, 5432, "").await;
                // A refused connection ends in a reset or in nothing.
                let answer = echoed(address, b"select 1").await.unwrap_or_default();
                let expected: &[u8] = if passes { b"select 1" } else { b"" };
                assert_eq!(answer, expected, "{caller}");
            }
        })
        .await;
}

#[tokio::test]
async fn the_access_log_names_the_policy_that_refused() {
    LocalSet::new()
        .run_until(async {
            let folder = tempfile::tempdir().unwrap();
            for (caller, port, line) in [
                ("bad", 8080, "rbac_access_denied_matched_policy[ns[shop]-policy[no-bad]-rule[0]] -"),
                ("nobody", 8080, "rbac_access_denied_matched_policy[none] -"),
                ("bad", 5432, "- rbac_access_denied_matched_policy[ns[shop]-policy[no-bad]-rule[0]]"),
                ("nobody", 5432, "- rbac_access_denied_matched_policy[none]"),
            ] {
                let file = folder.path().join(format!("{caller}-{port}"));
                let more = format!(
                    "\n---\nkind: MeshSettings\ntrustDomain: td\naccessLog:\n  encoding: TEXT\n  file: {}\n  \
                     format: \"%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS%\\n\"\n",
                    file.display()
                );
                let (address, server, _client) = pair(caller, port, &more).await;
                match port {
                    8080 => assert_eq!(http1(address, "GET", "/").await.0, 403),
                    _ => assert_eq!(echoed(address, b"x").await.unwrap_or_default(), b""),
                }
                server.metrics.close_logs();
                let log = std::fs::read_to_string(&file).unwrap();
                assert_eq!(log.trim_end(), line, "{caller} {port}");
            }
        })
        .await;
}
