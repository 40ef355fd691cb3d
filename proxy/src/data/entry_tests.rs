//! ServiceEntries and REGISTRY_ONLY from the user's objects to what clients get, on real sockets.

use super::choose::state::Registry;
use super::report::{Metrics, Workload};
use super::run::Workers;
use super::test_mesh::{Proxy, application};
use crate::config::Config;
use crate::control::decode;
use crate::init;
use crate::init::tests::{answer_to, greeter, in_namespace, settings};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use weft_model::{Node, Severity, Snapshot};
use weft_proto::type_url::{CLUSTER, ENDPOINTS, LISTENER, NAMES, ROUTE};

/// What a proxy in namespace `shop` makes of `yaml`, at the listener of this port.
fn proxy(yaml: &str, port: u16) -> Proxy {
    Proxy::obeying(None, config(yaml, false), &format!("0.0.0.0_{port}"))
}

/// What a proxy in namespace `shop`, which may capture DNS, is told of `yaml`.
fn config(yaml: &str, captures_dns: bool) -> Config {
    let node = Node {
        namespace: "shop".into(),
        pod: "client-1".into(),
        metadata: [
            ("WEFT_VERSION".into(), "0.1.0".into()),
            ("DNS_CAPTURE".into(), captures_dns.to_string()),
        ]
        .into(),
        ..Node::default()
    };
    let (snapshot, problems) = Snapshot::build(&weft_testkit::objects(yaml));
    let wrong = problems
        .iter()
        .find(|each| each.severity == Severity::Error);
    assert_eq!(wrong, None);
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
    for (_, any) in resources.of(NAMES) {
        config.names = Arc::new(decode::names(any).unwrap());
    }
    config
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

#[test]
fn a_captured_connection_to_an_automatic_address_reaches_its_service_and_others_nobody() {
    const YAML: &str = "
kind: MeshSettings
outbound: REGISTRY_ONLY
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: database, namespace: shop}
spec:
  hosts: [db.example.com]
  ports: [{number: 5432, name: db, protocol: TCP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1, ports: {db: 7777}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api, namespace: shop}
spec:
  hosts: [api.example.com]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: NONE
";
    in_namespace(|| {
        let ourselves = [("WEFT_PROXY_UID", "0"), ("WEFT_PROXY_GID", "0")];
        init::capture(&settings(&ourselves).unwrap()).unwrap();
        greeter(7777, "database");
        let config = config(YAML, true);
        let address = config.names.find("db.example.com").unwrap()[0].to_string();
        let registry = Registry::new(Metrics::new(Workload::default()));
        let workers = Workers::start(1, Arc::new(config), &Arc::default(), &registry).unwrap();
        while !workers.bound() {
            std::thread::yield_now();
        }
        const APPLICATION: u32 = 1000;
        let heard = |address: &str, port| answer_to(APPLICATION, (address, port), "");
        assert_eq!(heard(&address, 5432), "database");
        assert_eq!(heard("198.51.100.7", 5432), "");
        assert_eq!(heard(&address, 5433), "");
        let request =
            "GET / HTTP/1.1\\r\\nhost: www.example.com\\r\\nconnection: close\\r\\n\\r\\n";
        let refused = answer_to(APPLICATION, ("198.51.100.7", 80), request);
        assert!(refused.starts_with("HTTP/1.1 502"), "{refused}");

        let metrics = registry.metrics.prometheus();
        for label in [
            "destination_service=\"db.example.com\"",
            "destination_service_name=\"BlackHoleCluster\"",
        ] {
            assert!(metrics.contains(label), "{label} in {metrics}");
        }
    });
}
