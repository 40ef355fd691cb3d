//! TLS as a client outside the mesh speaks it, through the API server's port-forward.

use std::sync::Arc;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use crate::Cluster;

/// A certificate authority that a client outside trusts.
#[derive(Debug)]
pub struct Issuer(CertifiedIssuer<'static, KeyPair>);

impl Issuer {
    /// A new one.
    ///
    /// # Errors
    /// When the library cannot make it.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        Ok(Self(CertifiedIssuer::self_signed(params, key)?))
    }

    /// A certificate for `name` and its key, both PEM.
    ///
    /// # Errors
    /// When the library cannot make it.
    pub fn certificate(&self, name: &str) -> Result<(String, String)> {
        let key = KeyPair::generate()?;
        let params = CertificateParams::new([name.to_owned()])?;
        let certificate = params.signed_by(&key, &self.0)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    fn client(&self) -> Result<TlsConnector> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone())?;
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(config)))
    }

    /// Asks a pod's port for `path` over TLS, as a client that trusts this authority and wants the server `name`.
    /// The whole answer, and the certificate that was shown (DER).
    ///
    /// # Errors
    /// When the server shows another name or authority, or does not answer.
    pub async fn ask(
        &self,
        cluster: &Cluster,
        ([namespace, pod], port): ([&str; 2], u16),
        (name, path): (&str, &str),
    ) -> Result<(String, Vec<u8>)> {
        let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
        let mut forwarder = pods.portforward(pod, &[port]).await?;
        let stream = forwarder.take_stream(port).context("the forwarded port")?;
        let name = name.to_owned();
        let server = ServerName::try_from(name.clone())?;
        let mut stream = self.client()?.connect(server, stream).await?;
        let shown = stream.get_ref().1.peer_certificates();
        let shown = shown
            .and_then(|chain| chain.first())
            .context("a certificate")?;
        let shown = shown.to_vec();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        // Port-forward ends a connection without TLS's farewell now and then.
        let _ = stream.read_to_end(&mut answer).await;
        Ok((String::from_utf8_lossy(&answer).into_owned(), shown))
    }
}
