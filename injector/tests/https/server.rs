//! A webhook on a loopback port, and a client that trusts its certificate only.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use weft_api::injection::InjectionSettings;
use weft_injector::admission::serve::TlsListener;
use weft_injector::admission::tls::{Certificate, server_config};
use weft_injector::admission::{App, router};
use weft_injector::metrics::Metrics;
use weft_injector::watch::World;

const NAME: &str = "weft-injector.weft-system.svc";

pub(crate) struct Server {
    pub(crate) certificate: Arc<Certificate>,
    pub(crate) roots: Arc<RootCertStore>,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Some(InjectionSettings::default())).await
    }

    pub(crate) async fn without_settings() -> Self {
        Self::with(None).await
    }

    async fn with(settings: Option<InjectionSettings>) -> Self {
        let certificate = Arc::new(Certificate::default());
        let roots = replace(&certificate);
        let (namespaces, _) = kube::runtime::reflector::store();
        let app = Arc::new(App {
            world: Arc::new(World::new(settings, namespaces)),
            certificate: certificate.clone(),
            metrics: Arc::new(Metrics::default()),
            ending: AtomicBool::new(false),
        });
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let listener = TlsListener::new(socket, server_config(certificate.clone())).unwrap();
        tokio::spawn(async move { axum::serve(listener, router(app)).await });
        Self {
            certificate,
            roots,
            address,
        }
    }

    /// Puts another certificate in the place of the old one.
    pub(crate) fn replace_certificate(&mut self) {
        self.roots = replace(&self.certificate);
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        self.call(Request::get(path), Vec::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Vec<u8>) -> (u16, String) {
        self.call(Request::post(path), body).await
    }

    async fn call(&self, request: http::request::Builder, body: Vec<u8>) -> (u16, String) {
        let mut connection = self.connect().await.unwrap();
        let request = request.header("host", NAME).body(Full::from(body)).unwrap();
        let answer = connection.send_request(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    pub(crate) async fn connect(&self) -> std::io::Result<SendRequest<Full<Bytes>>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        let socket = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from(NAME).unwrap();
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, socket)
            .await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Ok(sender)
    }
}

fn replace(certificate: &Certificate) -> Arc<RootCertStore> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    let key = made.signing_key.serialize_pem();
    let replaced = certificate.replace(made.cert.pem().as_bytes(), key.as_bytes());
    assert!(replaced.unwrap(), "the certificate is new");
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    Arc::new(roots)
}
