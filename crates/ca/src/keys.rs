//! The signing key and its certificates, checked before anything is signed with them.

use rcgen::{Issuer, KeyPair, PublicKeyData};
use rustls_pki_types::CertificateDer;
use std::fmt;
use std::time::{Duration, SystemTime};
use weft_identity::{InvalidIdentity, cert};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

/// Intermediates between the signing certificate and a root; more are a loop or a mistake.
const LONGEST_CHAIN: usize = 8;

/// The texts of Secret `weft-ca`, all PEM; the shape of Istio's `cacerts`.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Material {
    /// `ca-cert.pem`: the certificate that signs.
    pub certificate: String,
    /// `ca-key.pem`: its key.
    pub key: String,
    /// `cert-chain.pem`: the certificate and what is between it and the root; may be empty.
    pub chain: String,
    /// `root-cert.pem`: all trusted roots.
    pub roots: String,
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material").finish_non_exhaustive()
    }
}

/// Why the Secret's content is not a CA. Never carries key material.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCa {
    /// A certificate that cannot be read.
    #[error(transparent)]
    Certificate(#[from] InvalidIdentity),
    /// A key that cannot be read.
    #[error("ca-key.pem is not a private key in PKCS#8 PEM: {0}")]
    Key(String),
    /// The key is another certificate's.
    #[error("ca-key.pem does not belong to ca-cert.pem; take both from one issue")]
    KeyMismatch,
    /// The certificate must not sign others.
    #[error("ca-cert.pem is not a CA certificate; it needs basicConstraints CA and keyCertSign")]
    NotACa,
    /// Its time has not come or is over.
    #[error("{name} is not valid now; it is valid from {from} to {to}")]
    NotNow {
        /// Subject of the certificate.
        name: String,
        /// Start of validity.
        from: String,
        /// End of validity.
        to: String,
    },
    /// No root vouches for it.
    #[error(
        "ca-cert.pem does not lead to a certificate of root-cert.pem; add what is missing to cert-chain.pem"
    )]
    NoRoot,
}

/// A CA that can sign.
pub struct Signer {
    pub(crate) issuer: Issuer<'static, KeyPair>,
    /// The signing certificate and what leads to the root, PEM, one each.
    pub(crate) chain: Vec<String>,
    pub(crate) roots: String,
    not_after: SystemTime,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// Reads and checks the content of the Secret.
    ///
    /// # Errors
    /// What is wrong with it; nothing may be signed then.
    pub fn load(material: &Material, now: SystemTime) -> Result<Self, InvalidCa> {
        let roots = cert::certificates("root-cert.pem", &material.roots)?;
        let mut chain = cert::certificates("ca-cert.pem", &material.certificate)?;
        chain.truncate(1);
        if !material.chain.trim().is_empty() {
            let mut more = cert::certificates("cert-chain.pem", &material.chain)?;
            more.retain(|cert| *cert != chain[0]);
            chain.extend(more);
        }
        let key =
            KeyPair::from_pem(&material.key).map_err(|error| InvalidCa::Key(error.to_string()))?;
        check(&chain, &roots, &key, now)?;
        let not_after = weft_identity::Leaf::parse(&chain[0]).map(|leaf| leaf.not_after)?;
        let issuer = Issuer::from_ca_cert_der(&chain[0], key).map_err(|_| InvalidCa::NotACa)?;
        let chain = chain
            .iter()
            .map(|cert| pem::encode(&pem::Pem::new("CERTIFICATE", cert.as_ref())))
            .collect();
        Ok(Self {
            issuer,
            chain,
            roots: material.roots.clone(),
            not_after,
        })
    }

    /// When the signing certificate ends.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// Time left at `now`; zero when expired.
    pub fn remaining(&self, now: SystemTime) -> Duration {
        self.not_after.duration_since(now).unwrap_or_default()
    }

    /// All trusted roots, PEM.
    pub fn roots(&self) -> &str {
        &self.roots
    }
}

fn check(
    chain: &[CertificateDer<'_>],
    roots: &[CertificateDer<'_>],
    key: &KeyPair,
    now: SystemTime,
) -> Result<(), InvalidCa> {
    let own = x509(&chain[0])?;
    if own.public_key().raw != key.subject_public_key_info() {
        return Err(InvalidCa::KeyMismatch);
    }
    if !may_sign(&own) {
        return Err(InvalidCa::NotACa);
    }
    let mut path: Vec<X509Certificate<'_>> = vec![own];
    while path.len() < LONGEST_CHAIN {
        let last = &path[path.len() - 1];
        is_valid(last, now)?;
        if roots.iter().any(|root| leads_to(last, root)) {
            return Ok(());
        }
        let next = chain
            .iter()
            .find(|cert| issued(cert, last))
            .ok_or(InvalidCa::NoRoot)?;
        path.push(x509(next)?);
    }
    Err(InvalidCa::NoRoot)
}

fn x509<'a>(cert: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, InvalidCa> {
    X509Certificate::from_der(cert)
        .map(|(_, cert)| cert)
        .map_err(|_| InvalidCa::NotACa)
}

/// Whether a root vouches for `cert`, or is `cert` itself.
fn leads_to(cert: &X509Certificate<'_>, root: &CertificateDer<'_>) -> bool {
    let same =
        x509(root).is_ok_and(|root| root.tbs_certificate.as_ref() == cert.tbs_certificate.as_ref());
    same || issued(root, cert)
}

fn issued(issuer: &CertificateDer<'_>, cert: &X509Certificate<'_>) -> bool {
    x509(issuer).is_ok_and(|issuer| {
        issuer.subject().as_raw() == cert.issuer().as_raw()
            && may_sign(&issuer)
            && cert.verify_signature(Some(issuer.public_key())).is_ok()
    })
}

fn may_sign(cert: &X509Certificate<'_>) -> bool {
    let usage = cert.key_usage().ok().flatten();
    cert.is_ca() && usage.is_none_or(|usage| usage.value.key_cert_sign())
}

fn is_valid(cert: &X509Certificate<'_>, now: SystemTime) -> Result<(), InvalidCa> {
    let now = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let validity = cert.validity();
    if validity.not_before.timestamp() <= now && now < validity.not_after.timestamp() {
        return Ok(());
    }
    Err(InvalidCa::NotNow {
        name: cert.subject().to_string(),
        from: validity.not_before.to_string(),
        to: validity.not_after.to_string(),
    })
}
