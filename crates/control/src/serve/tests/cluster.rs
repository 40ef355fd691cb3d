//! A cluster as the control plane knows it, with the keys of its API server.

use crate::authority::Authorities;
use crate::collect::Collected;
use crate::publish::{self, Clients, Published};
use crate::serve::{AdsSource, Answers, Ca, Counts, Identities, Services, serve};
use hyper_util::rt::TokioIo;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use weft_ca::{Authority, Material};
use weft_identity::tls::control_client;
use weft_identity::{Identity, cert};
use weft_proto::istio::{CREATE_CERTIFICATE, IstioCertificateRequest, IstioCertificateResponse};
use weft_proto::pb::envoy::config::core::v3::Node;
use weft_proto::type_url::{CLUSTER, LISTENER};

/// The name that proxies call the control plane by.
pub(super) const NAME: &str = "weft-control.weft-system.svc";
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
const OBJECTS: &str = "
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: shop, uid: u1, labels: {app: cart}}
spec: {serviceAccountName: cart, containers: []}
status: {phase: Running, podIP: 10.0.0.7}
---
apiVersion: v1
kind: Pod
metadata: {name: admin-1, namespace: shop, uid: u2}
spec: {serviceAccountName: admin, containers: []}
status: {phase: Running, podIP: 10.0.0.9}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1], selector: {app: cart}, ports: [{name: http, port: 80}]}
";

pub(super) struct Cluster {
    key: EncodingKey,
    keys: String,
    state: watch::Sender<Collected>,
    roots: String,
}

impl Cluster {
    pub(super) fn new() -> Self {
        let key = EncodingKey::from_ec_pem(KeyPair::generate().unwrap().serialize_pem().as_bytes())
            .unwrap();
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some("one".into());
        let keys = serde_json::to_string(&JwkSet { keys: vec![jwk] }).unwrap();
        let material = material();
        let roots = material.roots.clone();
        let mut collected = Collected::default();
        collected.objects = weft_testkit::objects(OBJECTS);
        collected.ca = Some(Arc::new(material));
        let state = watch::Sender::new(collected);
        Self {
            key,
            keys,
            state,
            roots,
        }
    }

    /// The projected token of pod `cart-1`, with changed claims.
    pub(super) fn token(&self, change: impl FnOnce(&mut Value)) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let mut claims = json!({
            "iss": ISSUER, "sub": "system:serviceaccount:shop:cart", "aud": ["weft-ca"], "exp": now + 600,
            "kubernetes.io": {
                "namespace": "shop", "pod": {"name": "cart-1", "uid": "u1"}, "serviceaccount": {"name": "cart", "uid": "u9"}
            }
        });
        change(&mut claims);
        let header = Header {
            kid: Some("one".into()),
            ..Header::new(Algorithm::ES256)
        };
        jsonwebtoken::encode(&header, &claims, &self.key).unwrap()
    }

    /// Adds the objects of a YAML text.
    pub(super) fn add(&self, yaml: &str) {
        self.state.send_modify(|all| {
            all.objects = weft_testkit::objects(&format!("{OBJECTS}---\n{yaml}"));
        });
    }

    /// The Secret's key no longer belongs to its certificate.
    pub(super) fn break_ca(&self) {
        self.state.send_modify(|all| {
            let good = all.ca.take().unwrap();
            all.ca = Some(Arc::new(Material {
                key: material().key,
                ..(*good).clone()
            }));
        });
    }
}

fn material() -> Material {
    let ca = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    };
    let root = CertifiedIssuer::self_signed(ca("root"), KeyPair::generate().unwrap()).unwrap();
    let signing =
        CertifiedIssuer::signed_by(ca("intermediate"), KeyPair::generate().unwrap(), &root)
            .unwrap();
    Material {
        certificate: signing.pem(),
        key: signing.key().serialize_pem(),
        chain: signing.pem(),
        roots: root.pem(),
    }
}

/// Port 15012 of a cluster, on loopback.
pub(super) struct Served {
    pub(super) cluster: Cluster,
    pub(super) stop: CancellationToken,
    pub(super) task: JoinHandle<anyhow::Result<()>>,
    address: SocketAddr,
}

impl Served {
    pub(super) async fn start(cluster: Cluster) -> Self {
        let nowhere = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let authorities = Authorities::new(kube::Client::try_from(nowhere).unwrap());
        authorities
            .learn(Authority::new(ISSUER.into(), &cluster.keys).unwrap())
            .await;
        let knowledge = cluster.state.subscribe();
        let identities = Identities::new(knowledge.clone(), "weft-system");
        let clients = Arc::new(Clients::default());
        let ads = AdsSource {
            clients: Arc::clone(&clients),
            counts: Arc::new(Counts::default()),
        };
        let ca = Ca {
            authorities,
            identities: identities.clone(),
            knowledge: knowledge.clone(),
            answers: Answers::default(),
        };
        let services = Services {
            ca,
            ads,
            identities,
            clients: Arc::clone(&clients),
        };
        tokio::spawn(publish::run(
            knowledge,
            clients,
            watch::Sender::new(Published::default()),
        ));
        cluster.state.send_modify(|_| {}); // what was there before the first look counts as a change
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(listener, services, stop.clone()));
        Self {
            cluster,
            stop,
            task,
            address,
        }
    }

    pub(super) async fn certificate(
        &self,
        token: &str,
        message: IstioCertificateRequest,
    ) -> Result<IstioCertificateResponse, Status> {
        let mut grpc = tonic::client::Grpc::new(self.channel(None, NAME).await.unwrap());
        grpc.ready().await.unwrap();
        let mut request = Request::new(message);
        if !token.is_empty() {
            request
                .metadata_mut()
                .insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let path = CREATE_CERTIFICATE.parse().unwrap();
        let codec = tonic_prost::ProstCodec::default();
        grpc.unary(request, path, codec)
            .await
            .map(tonic::Response::into_inner)
    }

    /// A proxy that asks for clusters and listeners.
    pub(super) async fn proxy(
        &self,
        identity: Option<&Identity>,
        node: &str,
    ) -> Result<weft_xds::Client, Status> {
        let mut client = weft_xds::Client::new(Node {
            id: node.into(),
            ..Node::default()
        });
        client.subscribe(CLUSTER, &["*".into()]);
        client.subscribe(LISTENER, &["*".into()]);
        let channel = self.channel(identity, NAME).await.unwrap();
        client.connect(channel).await.map(|()| client)
    }

    pub(super) async fn channel(
        &self,
        identity: Option<&Identity>,
        name: &'static str,
    ) -> Result<Channel, tonic::transport::Error> {
        let roots = cert::roots(&self.cluster.roots).unwrap();
        let connector = TlsConnector::from(control_client(roots, identity, &[b"h2"]));
        let address = self.address;
        let connect = tower::service_fn(move |_| {
            let connector = connector.clone();
            async move {
                let socket = TcpStream::connect(address).await?;
                let stream = connector
                    .connect(name.try_into().expect("a DNS name"), socket)
                    .await?;
                Ok::<_, std::io::Error>(TokioIo::new(stream))
            }
        });
        let endpoint =
            Endpoint::from_static("http://weft-control").connect_timeout(Duration::from_secs(10));
        endpoint.connect_with_connector(connect).await
    }
}
