//! TLS that is the application's own: the mesh passes it by unopened.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::{call, serve};

/// Patience of one client.
const LIMIT: Duration = Duration::from_secs(5);

/// Tells each client by which name it asked.
pub(crate) async fn serve(address: SocketAddr) -> Result<()> {
    let made = rcgen::generate_simple_self_signed(["weft-echo".to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    serve::accept(TcpListener::bind(address).await?, move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let name = stream
                    .get_ref()
                    .1
                    .server_name()
                    .unwrap_or_default()
                    .to_owned();
                // The client's business: it reports what went wrong.
                let _ = stream.write_all(name.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        }
    })
    .await
}

/// Asks `address` for `name` and prints `{"name"}` as the server has seen it, or `{"error"}`.
pub(crate) async fn call(address: &str, name: &str) -> Result<()> {
    let asked = timeout(LIMIT, ask(address, name)).await;
    let asked = asked.unwrap_or_else(|_| Err(anyhow!("no answer within {LIMIT:?}")));
    println!(
        "{}",
        match asked {
            Ok(name) => json!({ "name": name }),
            Err(fault) => json!({"error": format!("{fault:#}")}),
        }
    );
    Ok(())
}

async fn ask(address: &str, name: &str) -> Result<String> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider())))
        .with_no_client_auth();
    let stream = TcpStream::connect(call::address(address).await?).await?;
    let server = ServerName::try_from(name.to_owned()).context("a name")?;
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(server, stream).await?;
    let mut seen = String::new();
    stream.read_to_string(&mut seen).await?;
    Ok(seen)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Believes any server: what is asked is which one answers.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
