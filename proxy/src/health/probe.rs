//! One probe of the kubelet, asked by the proxy because the application's port is captured.
//!
//! Source: Kubernetes `Probe`; a redirect is an answer like any other below 400, and certificates
//! are not verified, as the kubelet does it.

use super::application::{connect, exchange};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde::Deserialize;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;

/// A probe as Kubernetes writes it, with a numeric port.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    http_get: Option<HttpGet>,
    tcp_socket: Option<Port>,
    grpc: Option<Grpc>,
    timeout_seconds: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpGet {
    port: u16,
    #[serde(default)]
    path: String,
    #[serde(default)]
    scheme: String,
    #[serde(default)]
    http_headers: Vec<Header>,
}

#[derive(Clone, Debug, Deserialize)]
struct Header {
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Port {
    port: u16,
}

#[derive(Clone, Debug, Deserialize)]
struct Grpc {
    port: u16,
    service: Option<String>,
}

impl Probe {
    /// Asks the application at `address`. `from` are the headers of the kubelet's own request.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask(&self, address: IpAddr, from: &HeaderMap) -> io::Result<StatusCode> {
        let limit = Duration::from_secs(self.timeout_seconds.unwrap_or(1).max(1));
        let late = |_| io::Error::other(format!("the application did not answer within {limit:?}"));
        tokio::time::timeout(limit, self.asked(address, from))
            .await
            .map_err(late)?
    }

    async fn asked(&self, address: IpAddr, from: &HeaderMap) -> io::Result<StatusCode> {
        if let Some(get) = &self.http_get {
            return get.ask(SocketAddr::new(address, get.port), from).await;
        }
        if let Some(tcp) = &self.tcp_socket {
            connect(SocketAddr::new(address, tcp.port)).await?;
            return Ok(StatusCode::OK);
        }
        match &self.grpc {
            Some(grpc) => grpc.ask(SocketAddr::new(address, grpc.port)).await,
            None => Err(io::Error::other("the probe asks nothing")),
        }
    }
}

impl HttpGet {
    async fn ask(&self, address: SocketAddr, from: &HeaderMap) -> io::Result<StatusCode> {
        let socket = connect(address).await?;
        let request = self.request(address, from)?;
        if !self.scheme.eq_ignore_ascii_case("https") {
            return Ok(exchange(socket, request).await?.status());
        }
        let connector = tokio_rustls::TlsConnector::from(anybody());
        let name = ServerName::IpAddress(address.ip().into());
        let socket = connector.connect(name, socket).await?;
        Ok(exchange(socket, request).await?.status())
    }

    fn request(&self, address: SocketAddr, from: &HeaderMap) -> io::Result<Request<Empty<Bytes>>> {
        let path = match self.path.as_str() {
            "" => "/".to_owned(),
            path if path.starts_with('/') => path.to_owned(),
            path => format!("/{path}"),
        };
        let mut request = Request::get(path).header("connection", "close");
        let own = |name: &str| {
            let mut headers = self.http_headers.iter();
            headers.any(|header| header.name.eq_ignore_ascii_case(name))
        };
        if !own("host") {
            request = request.header("host", address.to_string());
        }
        if !own("user-agent")
            && let Some(agent) = from.get("user-agent")
        {
            request = request.header("user-agent", agent);
        }
        for header in &self.http_headers {
            request = request.header(&header.name, &header.value);
        }
        request.body(Empty::new()).map_err(io::Error::other)
    }
}

/// `grpc.health.v1.HealthCheckRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct HealthRequest {
    #[prost(string, tag = "1")]
    service: String,
}

/// `grpc.health.v1.HealthCheckResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct HealthResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `ServingStatus.SERVING`.
const SERVING: i32 = 1;

impl Grpc {
    async fn ask(&self, address: SocketAddr) -> io::Result<StatusCode> {
        let connector =
            tower::service_fn(move |_| async move { connect(address).await.map(TokioIo::new) });
        let endpoint = Endpoint::from_shared(format!("http://{address}"));
        let endpoint = endpoint.map_err(io::Error::other)?;
        let channel = endpoint.connect_with_connector(connector).await;
        let mut client = tonic::client::Grpc::new(channel.map_err(io::Error::other)?);
        client.ready().await.map_err(io::Error::other)?;
        let request = tonic::Request::new(HealthRequest {
            service: self.service.clone().unwrap_or_default(),
        });
        let path = PathAndQuery::from_static("/grpc.health.v1.Health/Check");
        let codec = tonic_prost::ProstCodec::<HealthRequest, HealthResponse>::default();
        let answer = client.unary(request, path, codec).await;
        match answer.map_err(io::Error::other)?.into_inner().status {
            SERVING => Ok(StatusCode::OK),
            _ => Ok(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

/// TLS that takes any certificate: the kubelet verifies none for probes either.
fn anybody() -> Arc<rustls::ClientConfig> {
    let provider = Arc::new(weft_identity::tls::provider());
    let verifier = Anybody(Arc::clone(&provider));
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Arc::new(config)
}

#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl Anybody {
    fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.0.signature_verification_algorithms
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signed, self.algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signed, self.algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.algorithms().supported_schemes()
    }
}
