//! ServiceEntries and REGISTRY_ONLY from the user's objects to what clients get, on real sockets.

use super::test_mesh::{Proxy, application};
use crate::config::Config;
use crate::control::decode;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use weft_model::{Node, Snapshot};
use weft_proto::type_url::{CLUSTER, ENDPOINTS, LISTENER, ROUTE};

/// What a proxy in namespace `shop` makes of `yaml`, at the listener of this port.
fn proxy(yaml: &str, port: u16) -> Proxy {
    let node = Node {
        namespace: "shop".into(),
        pod: "client-1".into(),
        metadata: [("WEFT_VERSION".into(), "0.1.0".into())].into(),
        ..Node::default()
    };
    let (snapshot, problems) = Snapshot::build(&weft_testkit::objects(yaml));
    assert_eq!(problems, []);
    let (resources, _) = weft_translate::resources(&snapshot.view(&node));
    let mut config = Config::default();
    for (name, any) in resources.of(LISTENER) {
        let listener = decode::listener(any).unwrap();
        config.listeners.insert(name.clone(), Arc::new(listener));
    }
    for (name, any) in resources.of(ROUTE) {
        let table = decode::table(any).unwrap();
        config.routes.insert(name.clone(), Arc::new(table));
    }
    for (name, any) in resources.of(CLUSTER) {
        let mut cluster = decode::cluster(any).unwrap().cluster;
        for (_, endpoints) in resources.of(ENDPOINTS).filter(|(eds, _)| *eds == name) {
            let found = decode::assignment(endpoints).unwrap().1;
            cluster.discovery = crate::config::Discovery::Eds(found);
        }
        config.clusters.insert(name.clone(), Arc::new(cluster));
    }
    Proxy::obeying(None, config, &format!("0.0.0.0_{port}"))
}

/// The first bytes of a TLS client that asks for `name`.
fn hello(name: &str) -> Vec<u8> {
    let config = ClientConfig::builder()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// Sends `bytes`, ends, and reads to the end.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(bytes).await?;
    socket.shutdown().await?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.map(|_| answer)
}

fn is_reset<T>(result: &io::Result<T>) -> bool {
    result
        .as_ref()
        .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
}

/// The seed's ServiceEntry (S39) under REGISTRY_ONLY, with its server at `server`.
fn external(server: SocketAddr) -> String {
    let port = server.port();
    format!(
        "
kind: MeshSettings
outbound: REGISTRY_ONLY
---
apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntry
metadata: {{name: external-api, namespace: shop}}
spec:
  hosts: [api.external.com]
  ports: [{{number: 443, name: https, protocol: HTTPS, targetPort: {port}}}]
  resolution: DNS
  endpoints: [{{address: localhost}}]
"
    )
}

#[tokio::test]
async fn tls_to_a_known_server_name_passes_unopened_and_all_else_is_reset() {
    let test = async {
        let server = application(b"hi ").await;
        let proxy = proxy(&external(server), 443);
        let known = hello("api.external.com");
        // The first connection waits for DNS.
        let answer = exchange(proxy.address, &known).await.unwrap();
        assert_eq!(answer, [b"hi ", known.as_slice()].concat());

        let unknown = exchange(proxy.address, &hello("www.example.com")).await;
        assert!(is_reset(&unknown), "{unknown:?}");
        let plain = exchange(
            proxy.address,
            b"GET / HTTP/1.1\r\nhost: api.external.com\r\n\r\n",
        );
        let plain = plain.await;
        assert!(is_reset(&plain), "{plain:?}");

        let lines = proxy.lines("istio_tcp_connections_opened_total").join("\n");
        for label in [
            "destination_service=\"api.external.com\"",
            "destination_workload=\"external-api-0\"",
            "destination_service_name=\"BlackHoleCluster\"",
        ] {
            assert!(lines.contains(label), "{label} in {lines}");
        }
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn a_request_to_a_known_host_passes_and_to_another_is_502() {
    let test = async {
        let server = application(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
        let yaml = format!(
            "
kind: MeshSettings
outbound: REGISTRY_ONLY
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: api, namespace: shop}}
spec:
  hosts: [api.external.com, \"*.below.example.com\"]
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  location: MESH_EXTERNAL
  resolution: STATIC
  endpoints: [{{address: 127.0.0.1, ports: {{http: {}}}}}]
",
            server.port()
        );
        let proxy = proxy(&yaml, 80);
        let status = async |host: &str| {
            let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
            let mut client = TcpStream::connect(proxy.address).await.unwrap();
            client.write_all(request.as_bytes()).await.unwrap();
            let mut line = [0; 12];
            client.read_exact(&mut line).await.unwrap();
            String::from_utf8_lossy(&line[9..]).into_owned()
        };
        assert_eq!(status("api.external.com").await, "204");
        assert_eq!(status("a.below.example.com").await, "204");
        assert_eq!(status("www.example.com").await, "502");

        let lines = proxy.lines("istio_requests_total").join("\n");
        for label in [
            "destination_service=\"api.external.com\"",
            "destination_service=\"*.below.example.com\"",
            "destination_service_name=\"BlackHoleCluster\"",
        ] {
            assert!(lines.contains(label), "{label} in {lines}");
        }
    };
    LocalSet::new().run_until(test).await;
}
