//! The webhook's certificate, read again whenever its files change.
//!
//! The operator rotates the Secret with an overlap of roots, so a replica may take up the new pair
//! at any time. A pair that does not fit is reported and the last good one stays.

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// Why the certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCertificate {
    /// A file of the directory.
    #[error("{path} is not readable: {source}; mount the Secret weft-injector-tls there")]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The files' content.
    #[error(
        "tls.crt and tls.key in {dir} are no PEM certificate and key: {reason}; delete the Secret weft-injector-tls and the operator makes a new one"
    )]
    Content {
        /// The directory.
        dir: PathBuf,
        /// Why.
        reason: String,
    },
}

/// A pair of files and the certificate read from them.
#[derive(Debug)]
pub struct Certificate {
    dir: PathBuf,
    current: RwLock<Loaded>,
}

#[derive(Clone, Debug)]
struct Loaded {
    files: [Vec<u8>; 2],
    key: Arc<CertifiedKey>,
}

impl Certificate {
    /// Reads `tls.crt` and `tls.key` of `dir`.
    ///
    /// # Errors
    /// If they are missing or do not fit.
    pub fn load(dir: &Path) -> Result<Self, InvalidCertificate> {
        let loaded = parse(dir, read(dir)?)?;
        Ok(Self {
            dir: dir.to_owned(),
            current: RwLock::new(loaded),
        })
    }

    /// Reads the files again; tells whether there is a new certificate.
    ///
    /// # Errors
    /// If they are missing or do not fit; the last good certificate stays in use.
    pub fn reload(&self) -> Result<bool, InvalidCertificate> {
        let files = read(&self.dir)?;
        if files == self.current().files {
            return Ok(false);
        }
        let loaded = parse(&self.dir, files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(true)
    }

    fn current(&self) -> Loaded {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current().key)
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

fn read(dir: &Path) -> Result<[Vec<u8>; 2], InvalidCertificate> {
    let file = |name: &str| {
        let path = dir.join(name);
        std::fs::read(&path).map_err(|source| InvalidCertificate::File { path, source })
    };
    Ok([file("tls.crt")?, file("tls.key")?])
}

fn parse(dir: &Path, files: [Vec<u8>; 2]) -> Result<Loaded, InvalidCertificate> {
    let invalid = |reason: String| InvalidCertificate::Content {
        dir: dir.to_owned(),
        reason,
    };
    let chain = CertificateDer::pem_slice_iter(&files[0])
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| invalid(e.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(&files[1]).map_err(|e| invalid(e.to_string()))?;
    if chain.is_empty() {
        return Err(invalid("tls.crt has no certificate".into()));
    }
    let key = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .map_err(|e| invalid(e.to_string()))?;
    Ok(Loaded {
        files,
        key: Arc::new(key),
    })
}
