//! The webhook's certificate, replaced while connections go on.
//!
//! The operator rotates the Secret with an overlap of authorities, so a replica may take up the new
//! pair at any time. A pair that does not fit is refused and the last good one stays.

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::{Arc, PoisonError, RwLock};

/// A pair that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "tls.crt and tls.key of Secret weft-injector-tls are no PEM certificate and key that fit: {0}; delete the Secret and the operator makes a new one"
)]
pub struct InvalidCertificate(String);

/// The certificate in use; none until the first one has been read, and handshakes fail so long.
#[derive(Debug, Default)]
pub struct Certificate {
    current: RwLock<Option<Loaded>>,
}

#[derive(Clone, Debug)]
struct Loaded {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<CertifiedKey>,
}

impl Certificate {
    /// Takes the pair into use, both in PEM; tells whether it is another one than before.
    ///
    /// # Errors
    /// If the two are unreadable or do not fit; the last good pair stays in use.
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> Result<bool, InvalidCertificate> {
        let loaded = parse(chain, key)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = current.as_ref().is_none_or(|old| old.chain != loaded.chain);
        *current = Some(loaded);
        Ok(is_new)
    }

    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.current().is_some()
    }

    fn current(&self) -> Option<Loaded> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current().map(|loaded| loaded.key)
    }
}

/// TLS settings that follow `certificate`.
///
/// # Panics
/// Never: the provider has the default protocol versions.
pub fn server_config(certificate: Arc<Certificate>) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs implements TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

fn parse(chain: &[u8], key: &[u8]) -> Result<Loaded, InvalidCertificate> {
    let chain = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| InvalidCertificate(e.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| InvalidCertificate(e.to_string()))?;
    if chain.is_empty() {
        return Err(InvalidCertificate("tls.crt has no certificate".into()));
    }
    // This also compares the public keys of the two.
    let key = CertifiedKey::from_der(chain.clone(), key, &aws_lc_rs::default_provider())
        .map_err(|e| InvalidCertificate(e.to_string()))?;
    Ok(Loaded {
        chain,
        key: Arc::new(key),
    })
}
