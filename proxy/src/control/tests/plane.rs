//! A control plane for tests: a CA and an xDS server on one TLS port of the loopback interface.

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::service::Routes;
use tonic::{Extensions, Request, Response, Status};
use weft_identity::tls::{ClientCertificate, Peers, mesh_server};
use weft_identity::{Identity, TrustDomain};
use weft_proto::istio::{IstioCertificateRequest, IstioCertificateResponse};
use weft_proto::pb::envoy::config::core::v3::Node;
use weft_xds::World;
use weft_xds::server::{Admitted, Event, Server, Source};

/// The token that the CA accepts.
pub(super) const TOKEN: &str = "a-token";

/// Keys and certificates of a mesh.
pub(super) struct Pki {
    issuer: Issuer<'static, KeyPair>,
    pub(super) root: String,
    server: Identity,
}

impl Pki {
    pub(super) fn new() -> Arc<Self> {
        let key = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_key = key();
        let root = params.self_signed(&root_key).unwrap().pem();
        let issuer = Issuer::new(params, root_key);
        let server_key = key();
        let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let server = server.signed_by(&server_key, &issuer).unwrap().pem();
        let server = Identity::parse(&server, &server_key.serialize_pem(), &root).unwrap();
        Arc::new(Self {
            issuer,
            root,
            server,
        })
    }

    fn sign(&self, csr: &str, lifetime: Duration) -> String {
        let mut request = CertificateSigningRequestParams::from_pem(csr).unwrap();
        let now = OffsetDateTime::now_utc();
        request.params.not_before = now - Duration::from_secs(60);
        request.params.not_after = now + lifetime;
        request.params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        request.signed_by(&self.issuer).unwrap().pem()
    }
}

/// A running control plane; aborting the task ends it with all its connections.
pub(super) struct Plane {
    pub(super) port: u16,
    pub(super) task: JoinHandle<()>,
}

impl Plane {
    pub(super) async fn start(pki: &Arc<Pki>, world: World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let domain: TrustDomain = "cluster.local".parse().unwrap();
        let client = ClientCertificate::Optional;
        let tls = mesh_server(&pki.server, client, Peers::of(domain), &[b"h2"]);
        let (_keep, worlds) = watch::channel(Some(Arc::new(world)));
        let ads = Server::new(Arc::new(Offer(worlds))).into_service();
        let routes = Routes::new(ads).add_service(Ca(Arc::clone(pki)));
        let task = tokio::spawn(async move {
            let _keep = _keep;
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (acceptor, routes) = (TlsAcceptor::from(Arc::clone(&tls)), routes.clone());
                connections.spawn(async move {
                    if let Ok(stream) = acceptor.accept(socket).await {
                        // How a client leaves is its own business.
                        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                            .serve_connection(
                                TokioIo::new(stream),
                                TowerToHyperService::new(routes.prepare()),
                            )
                            .await;
                    }
                });
            }
        });
        Self { port, task }
    }
}

/// Everybody sees the same.
struct Offer(watch::Receiver<Option<Arc<World>>>);

impl Source for Offer {
    type Peer = ();
    type Client = ();

    fn authenticate(&self, _: &Extensions) -> Result<(), Status> {
        Ok(())
    }

    fn admit(&self, (): (), _: &Node) -> Result<Admitted<()>, Status> {
        Ok(Admitted {
            client: (),
            worlds: self.0.clone(),
        })
    }

    fn report(&self, (): &(), _: Event) {}
}

#[derive(Clone)]
struct Ca(Arc<Pki>);

impl NamedService for Ca {
    const NAME: &'static str = "istio.v1.auth.IstioCertificateService";
}

impl Service<http::Request<Body>> for Ca {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<http::Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let ca = self.clone();
        Box::pin(async move {
            let mut grpc = Grpc::new(tonic_prost::ProstCodec::default());
            Ok(grpc.unary(ca, request).await)
        })
    }
}

impl UnaryService<IstioCertificateRequest> for Ca {
    type Response = IstioCertificateResponse;
    type Future = BoxFuture<Response<IstioCertificateResponse>, Status>;

    fn call(&mut self, request: Request<IstioCertificateRequest>) -> Self::Future {
        let pki = Arc::clone(&self.0);
        Box::pin(async move {
            let bearer = request.metadata().get("authorization");
            if bearer.is_none_or(|value| value != format!("Bearer {TOKEN}").as_str()) {
                return Err(Status::unauthenticated("not our token"));
            }
            let wish = request.into_inner();
            let lifetime = Duration::from_secs(wish.validity_duration.unsigned_abs());
            let cert_chain = vec![pki.sign(&wish.csr, lifetime), pki.root.clone()];
            Ok(Response::new(IstioCertificateResponse { cert_chain }))
        })
    }
}
