//! A small mesh for tests: one root, workloads, and listeners on loopback that serve connections.

use super::accept;
use super::choose::state::Registry;
use super::choose::upkeep::Upkeep;
use super::drain::DrainSender;
use super::listen;
use super::report::{Metrics, Workload};
use super::secrets::Secrets;
use super::test_conn;
use super::worker::Worker;
use crate::config::{
    Cluster, Config, Discovery, Endpoint, FilterChain, Listener, Locality, StringMatch, TlsClient,
    TlsIdentity, TlsRoots, TlsServer,
};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use weft_identity::Identity;

/// A root that signs workloads.
pub(crate) struct Root {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Root {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// The identity `spiffe://td/ns/shop/sa/<account>`.
    pub(crate) fn identity(&self, account: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(uri(account).as_str().try_into().unwrap())];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Identity::parse(&cert.pem(), &key.serialize_pem(), &self.pem).unwrap()
    }
}

impl Root {
    /// A certificate for the DNS name `name`.
    pub(crate) fn server(&self, name: &str) -> TlsIdentity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        TlsIdentity::Pem {
            chain: cert.pem().into(),
            key: key.serialize_pem().into(),
        }
    }

    /// Itself, PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }
}

/// The name of `account`.
pub(crate) fn uri(account: &str) -> String {
    format!("spiffe://td/ns/shop/sa/{account}")
}

/// One proxy with one worker and one listener, in the test's own `LocalSet`.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) worker: Rc<Worker>,
    _drain: DrainSender,
    _upkeep: Upkeep,
}

impl Proxy {
    /// A proxy with `listener` on a free port.
    pub(crate) fn start(
        identity: Option<Identity>,
        mut listener: Listener,
        clusters: Vec<Cluster>,
    ) -> Self {
        let name = Arc::clone(&listener.name);
        // Nothing else asks for the address, and nobody knows it yet.
        listener.address = "127.0.0.1:0".parse().unwrap();
        let config = Config {
            listeners: [(Arc::clone(&name), Arc::new(listener))].into(),
            clusters: clusters
                .into_iter()
                .map(|c| (Arc::clone(&c.name), Arc::new(c)))
                .collect(),
            ..Config::default()
        };
        Self::obeying(identity, config, &name)
    }

    /// A proxy that obeys `config`, whose listener `name` is on a free port.
    pub(crate) fn obeying(identity: Option<Identity>, config: Config, name: &str) -> Self {
        let socket = listen::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let config = Arc::new(config);
        let metrics = Metrics::new(Workload {
            name: "own".into(),
            ..Workload::default()
        });
        let secrets = Arc::new(Secrets::default());
        secrets.store(identity.map(Arc::new));
        let drain = DrainSender::new();
        let registry = Registry::new(Arc::clone(&metrics));
        let chores = Arc::clone(&registry);
        let worker = Worker::new(Arc::clone(&config), secrets, registry, drain.subscribe());
        let mut upkeep = Upkeep::default();
        upkeep.apply(&config, &worker, &chores);
        tokio::task::spawn_local(accept_all(socket, Rc::clone(&worker), name.into()));
        Self {
            address,
            metrics,
            worker,
            _drain: drain,
            _upkeep: upkeep,
        }
    }

    /// The lines of one metric.
    pub(crate) fn lines(&self, metric: &str) -> Vec<String> {
        let text = self.metrics.prometheus();
        let lines = text
            .lines()
            .filter(|line| line.starts_with(&format!("{metric}{{")));
        lines.map(str::to_owned).collect()
    }
}

async fn accept_all(socket: TcpListener, worker: Rc<Worker>, name: Arc<str>) {
    while let Ok((connection, remote)) = socket.accept().await {
        let live = worker.listeners().named(&name).unwrap();
        tokio::task::spawn_local(accept::serve(Rc::clone(&worker), connection, remote, live));
    }
}

/// Mesh TLS that `chain` terminates.
pub(crate) fn terminating(chain: FilterChain) -> Arc<FilterChain> {
    let tls = TlsServer {
        identity: TlsIdentity::Workload,
        require_client: true,
        client_roots: Some(TlsRoots::Mesh),
        client_sans: vec![StringMatch::Prefix("spiffe://td/".into(), false)],
        alpn: ["istio-peer-exchange", "istio", "h2", "http/1.1"]
            .map(Into::into)
            .to_vec(),
        tls12: false,
    };
    Arc::new(FilterChain {
        tls: Some(tls),
        ..chain
    })
}

/// A cluster of one endpoint.
pub(crate) fn cluster(name: &str, address: SocketAddr) -> Cluster {
    let endpoints = vec![Arc::new(Endpoint::at(address))];
    let locality = Locality {
        endpoints,
        ..Locality::default()
    };
    Cluster {
        discovery: Discovery::Static(Arc::new(vec![locality])),
        ..test_conn::cluster(name)
    }
}

/// `cluster` over mesh TLS, whose server must be `account`.
pub(crate) fn over_mesh_tls(cluster: Cluster, account: &str) -> Cluster {
    let tls = TlsClient {
        identity: Some(TlsIdentity::Workload),
        roots: Some(TlsRoots::Mesh),
        sans: vec![StringMatch::Exact(uri(account).into(), false)],
        sni: Some("outbound_.80_._.reviews.shop.svc.cluster.local".into()),
        auto_sni: false,
        auto_san: false,
        tls12: false,
        alpn: vec!["istio-peer-exchange".into(), "istio".into()],
    };
    Cluster {
        tls: Some(Arc::new(tls)),
        ..cluster
    }
}

/// An application that greets, then sends back all that it got once the client has ended.
pub(crate) async fn application(greeting: &'static [u8]) -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::task::spawn_local(async move {
        while let Ok((mut connection, _)) = socket.accept().await {
            tokio::task::spawn_local(async move {
                let mut all = Vec::new();
                connection.write_all(greeting).await.unwrap();
                if connection.read_to_end(&mut all).await.is_ok() {
                    // The client may be gone by now.
                    let _ = connection.write_all(&all).await;
                }
            });
        }
    });
    address
}
