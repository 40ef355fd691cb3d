//! A proxy with one client connection, and raw servers behind it.

use crate::config::{
    Action, Cluster, Codec, Config, Discovery, Endpoint, EscapedSlashes, Forward,
    ForwardClientCert, Hcm, HeaderChanges, HttpFilterOverride, Locality, PathMatch, Route,
    RouteMatch, RouteTable, Routes, Underscores, VirtualHost, WeightedCluster,
};
use crate::data::choose::state::Registry;
use crate::data::conn::ConnInfo;
use crate::data::drain::DrainSender;
use crate::data::report::Metrics;
use crate::data::secrets::Secrets;
use crate::data::stream::Stream;
use crate::data::test_conn;
use crate::data::worker::Worker;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, LocalSet, spawn_local};

/// How the proxy of a test is set up.
pub(super) struct Setup {
    pub(super) hcm: Hcm,
    pub(super) forward: Forward,
    pub(super) overrides: BTreeMap<Arc<str>, HttpFilterOverride>,
    pub(super) cluster: Cluster,
    /// Further clusters.
    pub(super) more: Vec<Cluster>,
    pub(super) conn: ConnInfo,
}

/// A worker that serves one client after the other.
pub(super) struct Proxy {
    metrics: Arc<Metrics>,
    worker: Rc<Worker>,
    hcm: Arc<Hcm>,
    conn: ConnInfo,
    pub(super) drain: DrainSender,
}

impl Setup {
    /// Everything is forwarded to `servers`.
    pub(super) fn to(servers: &[SocketAddr]) -> Self {
        let endpoints = servers
            .iter()
            .map(|at| Arc::new(Endpoint::at(*at)))
            .collect();
        let locality = Locality {
            endpoints,
            ..Locality::default()
        };
        let cluster = Cluster {
            discovery: Discovery::Static(Arc::new(vec![locality])),
            ..test_conn::cluster("backend")
        };
        let forward = forward_to("backend");
        let conn = test_conn::inbound("10.0.0.9:40000", "10.0.0.1:80");
        Self {
            hcm: hcm(),
            forward,
            overrides: BTreeMap::new(),
            cluster,
            more: Vec::new(),
            conn,
        }
    }

    pub(super) fn start(self) -> Proxy {
        let table = routes(self.forward, self.overrides);
        let config = Config {
            listeners: BTreeMap::new(),
            routes: [("routes".into(), table)].into(),
            clusters: std::iter::once(self.cluster)
                .chain(self.more)
                .map(|cluster| (Arc::clone(&cluster.name), Arc::new(cluster)))
                .collect(),
            ..Config::default()
        };
        let drain = DrainSender::new();
        let metrics = Arc::<Metrics>::default();
        let registry = Registry::new(Arc::clone(&metrics));
        let secrets = Arc::<Secrets>::default();
        let worker = Worker::new(Arc::new(config), secrets, registry, drain.subscribe());
        Proxy {
            metrics,
            worker,
            hcm: Arc::new(self.hcm),
            conn: self.conn,
            drain,
        }
    }
}

impl Proxy {
    /// A client's connection to the proxy.
    pub(super) async fn connect(&self) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let conn = ConnInfo {
            drain: self.drain.subscribe(),
            ..self.conn.clone()
        };
        let (hcm, worker) = (Arc::clone(&self.hcm), Rc::clone(&self.worker));
        let stream = Stream::from(accepted.unwrap().0);
        spawn_local(super::super::serve(stream, Rc::new(conn), hcm, worker));
        client.unwrap()
    }

    /// All series as Prometheus reads them.
    pub(super) fn metrics(&self) -> String {
        self.metrics.prometheus()
    }

    /// Envoy's counters by name.
    pub(super) fn stats(&self) -> BTreeMap<String, u64> {
        self.metrics.stats()
    }

    /// Sends `request` on a connection of its own and reads until the proxy closes.
    pub(super) async fn ask(&self, request: &str) -> String {
        let mut client = self.connect().await;
        client.write_all(request.as_bytes()).await.unwrap();
        text_of(&mut client).await
    }
}

/// Reads to the end.
pub(super) async fn text_of(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Reads until what was read ends with `end`.
pub(super) async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end.as_bytes()) {
        assert_ne!(
            stream.read_buf(&mut bytes).await.unwrap(),
            0,
            "ended: {:?}",
            text(&bytes)
        );
    }
    text(&bytes)
}

/// Reads a head and nothing after it.
pub(super) async fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.unwrap());
    }
    text(&bytes)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A server whose connections live as `serve` says, one after the other.
pub(super) async fn server<F: AsyncFnMut(TcpStream) + 'static>(
    mut serve: F,
) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = spawn_local(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            serve(stream).await;
        }
    });
    (address, task)
}

/// Runs a test as a worker runs its connections; none takes longer than this.
pub(super) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let limited = async {
        tokio::time::timeout(Duration::from_secs(20), test)
            .await
            .unwrap()
    };
    LocalSet::new().block_on(&runtime, limited);
}

/// A table that sends everything to `cluster`.
pub(super) fn table(cluster: &str) -> Arc<RouteTable> {
    routes(forward_to(cluster), BTreeMap::new())
}

fn forward_to(cluster: &str) -> Forward {
    Forward {
        clusters: vec![Arc::new(WeightedCluster {
            name: cluster.into(),
            weight: 1,
            headers: HeaderChanges::default(),
            host_rewrite: None,
        })],
        ..Forward::default()
    }
}

/// A table of one route for everything.
fn routes(forward: Forward, overrides: BTreeMap<Arc<str>, HttpFilterOverride>) -> Arc<RouteTable> {
    let route = Route {
        name: "default".into(),
        matches: RouteMatch {
            path: PathMatch::Prefix("/".into()),
            case_sensitive: true,
            headers: Vec::new(),
            query: Vec::new(),
            grpc: false,
            fraction_per_million: None,
        },
        action: Action::Forward(Arc::new(forward)),
        headers: HeaderChanges::default(),
        overrides,
    };
    let host = VirtualHost {
        domains: vec!["*".into()],
        routes: vec![Arc::new(route)],
        ..VirtualHost::default()
    };
    Arc::new(RouteTable {
        name: "routes".into(),
        virtual_hosts: vec![Arc::new(host)],
        ..RouteTable::default()
    })
}

/// A manager that changes nothing, with the routes `routes`.
pub(super) fn hcm() -> Hcm {
    Hcm {
        stat_prefix: "test".into(),
        codec: Codec::Auto,
        routes: Routes::Named("routes".into()),
        filters: Vec::new(),
        access_log: Vec::new(),
        server_name: Some("istio-envoy".into()),
        keep_server: false,
        use_remote_address: false,
        internal: Vec::new(),
        forward_client_cert: ForwardClientCert::Sanitize,
        generate_request_id: true,
        preserve_external_request_id: false,
        merge_slashes: false,
        normalize_path: true,
        escaped_slashes: EscapedSlashes::Keep,
        underscores: Underscores::Allow,
        accept_http_10: false,
        request_headers_timeout: None,
        stream_idle_timeout: None,
        idle_timeout: None,
        request_timeout: None,
        max_connection_duration: None,
        max_headers_bytes: 60 * 1024,
        max_headers: 100,
        max_concurrent_streams: 100,
        upgrades: vec!["websocket".into()],
        tracing: None,
    }
}
