//! Certificates: from PEM text to what rustls and people need to know.

use crate::spiffe::{InvalidSpiffeId, SpiffeId};
use crate::tls;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

/// Why PEM text is not a usable identity. Never carries key material.
#[derive(Debug, thiserror::Error)]
pub enum InvalidIdentity {
    /// The text has no PEM block of the kind that is needed here, or a broken one.
    #[error("{part} is not PEM; expected at least one {expected} block")]
    NotPem {
        /// Which of the texts.
        part: &'static str,
        /// The kind of block that was looked for.
        expected: &'static str,
    },
    /// A certificate that cannot be parsed.
    #[error("{part} is not an X.509 certificate: {reason}")]
    NotX509 {
        /// Which of the texts.
        part: &'static str,
        /// What the parser said.
        reason: String,
    },
    /// A key of a kind that the TLS provider cannot use.
    #[error(
        "the private key cannot be used: {0}; use ECDSA P-256, P-384, RSA or Ed25519 in PKCS#8"
    )]
    Key(rustls::Error),
    /// The key is not the certificate's.
    #[error("the private key does not belong to the certificate; take both from one issue")]
    KeyMismatch,
    /// The leaf's SPIFFE name is not valid.
    #[error(transparent)]
    Name(#[from] InvalidSpiffeId),
}

/// What a person or a policy wants to know of one certificate.
#[derive(Clone, Eq, PartialEq)]
pub struct Leaf {
    /// The identity, if the certificate has exactly one URI name; a server's may have none.
    pub id: Option<SpiffeId>,
    /// DNS names, in the certificate's order.
    pub dns_names: Vec<String>,
    /// Subject in RFC 4514 order as x509-parser prints it, empty for workload certificates.
    pub subject: String,
    /// Serial number, lower-case hex without separators.
    pub serial: String,
    /// SHA-256 of the DER bytes.
    pub fingerprint: [u8; 32],
    /// Start of validity.
    pub not_before: SystemTime,
    /// End of validity.
    pub not_after: SystemTime,
    /// Whether it may sign other certificates.
    pub is_ca: bool,
}

impl Leaf {
    /// Reads one certificate.
    ///
    /// # Errors
    /// [`InvalidIdentity::NotX509`]; [`InvalidIdentity::Name`] for a URI name that is not a
    /// canonical SPIFFE id.
    pub fn parse(der: &CertificateDer<'_>) -> Result<Self, InvalidIdentity> {
        let cert = x509("certificate", der)?;
        let names = names(&cert)?;
        let id = match names.uris[..] {
            [uri] => Some(uri.parse()?),
            _ => None,
        };
        Ok(Self {
            id,
            dns_names: names.dns.into_iter().map(str::to_owned).collect(),
            subject: cert.subject().to_string(),
            serial: cert.raw_serial().iter().fold(String::new(), hex),
            fingerprint: fingerprint(der),
            not_before: time(cert.validity().not_before.timestamp()),
            not_after: time(cert.validity().not_after.timestamp()),
            is_ca: cert.is_ca(),
        })
    }

    /// The fingerprint as lower-case hex, as `x-forwarded-client-cert` wants it.
    pub fn fingerprint_hex(&self) -> String {
        self.fingerprint.iter().fold(String::new(), hex)
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf")
            .field("id", &self.id)
            .field("serial", &self.serial)
            .finish_non_exhaustive()
    }
}

/// A certificate chain with its key, and the roots that its peers are verified against.
///
/// Cheap to clone. Equal when the certificate and the roots are.
#[derive(Clone)]
pub struct Identity {
    leaf: Arc<Leaf>,
    key: Arc<CertifiedKey>,
    roots: Arc<RootCertStore>,
}

impl Identity {
    /// Reads a chain (leaf first), the leaf's key and the trusted roots, all PEM.
    ///
    /// Certificates of `chain` that are themselves among the roots are left out of what is sent.
    ///
    /// # Errors
    /// Says which of the three texts is at fault; see [`InvalidIdentity`].
    pub fn parse(chain: &str, key: &str, roots: &str) -> Result<Self, InvalidIdentity> {
        let root_certs = certificates("roots", roots)?;
        let mut certs = certificates("certificate chain", chain)?;
        let key =
            PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| InvalidIdentity::NotPem {
                part: "private key",
                expected: "PRIVATE KEY",
            })?;
        let leaf = Leaf::parse(&certs[0])?;
        let mut position = 0;
        certs.retain(|cert| {
            position += 1;
            position == 1 || !root_certs.contains(cert)
        });
        let key =
            CertifiedKey::from_der(certs, key, &tls::provider()).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => InvalidIdentity::KeyMismatch,
                other => InvalidIdentity::Key(other),
            })?;
        Ok(Self {
            leaf: Arc::new(leaf),
            key: Arc::new(key),
            roots: Arc::new(store(root_certs)?),
        })
    }

    /// The certificate that peers see.
    pub fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    /// The chain that is sent, leaf first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.key.cert
    }

    /// Chain and key as rustls wants them.
    pub fn certified_key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }

    /// The roots that peers are verified against.
    pub fn roots(&self) -> &Arc<RootCertStore> {
        &self.roots
    }

    /// Time left at `now`; zero when expired.
    pub fn remaining(&self, now: SystemTime) -> Duration {
        self.leaf.not_after.duration_since(now).unwrap_or_default()
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.leaf.fingerprint == other.leaf.fingerprint && self.roots.roots == other.roots.roots
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.leaf).finish()
    }
}

/// Trusted roots from PEM, for peers without a certificate of their own.
///
/// # Errors
/// [`InvalidIdentity::NotPem`] or [`InvalidIdentity::NotX509`], naming `roots`.
pub fn roots(pem: &str) -> Result<Arc<RootCertStore>, InvalidIdentity> {
    Ok(Arc::new(store(certificates("roots", pem)?)?))
}

/// The one SPIFFE id of a peer's verified certificate, from the chain that rustls reports.
///
/// `None` for no certificate or one without exactly one canonical URI name; the mesh's own
/// verifiers ([`tls`]) never let such a peer through.
pub fn peer_id(chain: Option<&[CertificateDer<'_>]>) -> Option<SpiffeId> {
    Leaf::parse(chain?.first()?).ok()?.id
}

/// Every certificate of a PEM text; at least one.
///
/// # Errors
/// [`InvalidIdentity::NotPem`], naming `part`.
pub fn certificates(
    part: &'static str,
    pem: &str,
) -> Result<Vec<CertificateDer<'static>>, InvalidIdentity> {
    let not_pem = || InvalidIdentity::NotPem {
        part,
        expected: "CERTIFICATE",
    };
    let certs: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| not_pem())?;
    if certs.is_empty() {
        return Err(not_pem());
    }
    Ok(certs)
}

/// The alternative names of a certificate that identities are read from.
pub(crate) struct Names<'a> {
    pub(crate) uris: Vec<&'a str>,
    pub(crate) dns: Vec<&'a str>,
}

/// Parses DER; `part` is for the message.
pub(crate) fn x509<'a>(
    part: &'static str,
    der: &'a CertificateDer<'_>,
) -> Result<X509Certificate<'a>, InvalidIdentity> {
    let invalid = |reason: String| InvalidIdentity::NotX509 { part, reason };
    match X509Certificate::from_der(der) {
        Ok(([], cert)) => Ok(cert),
        Ok(_) => Err(invalid("bytes after its end".to_owned())),
        Err(error) => Err(invalid(error.to_string())),
    }
}

/// URI and DNS names; a name extension that cannot be read makes the certificate unusable.
pub(crate) fn names<'a>(cert: &'a X509Certificate<'_>) -> Result<Names<'a>, InvalidIdentity> {
    let extension = cert
        .subject_alternative_name()
        .map_err(|error| InvalidIdentity::NotX509 {
            part: "certificate",
            reason: error.to_string(),
        })?;
    let mut names = Names {
        uris: Vec::new(),
        dns: Vec::new(),
    };
    for name in extension
        .iter()
        .flat_map(|found| &found.value.general_names)
    {
        match name {
            GeneralName::URI(uri) => names.uris.push(uri),
            GeneralName::DNSName(name) => names.dns.push(name),
            _ => {}
        }
    }
    Ok(names)
}

fn store(certs: Vec<CertificateDer<'static>>) -> Result<RootCertStore, InvalidIdentity> {
    let mut store = RootCertStore::empty();
    for cert in certs {
        store.add(cert).map_err(|error| InvalidIdentity::NotX509 {
            part: "roots",
            reason: error.to_string(),
        })?;
    }
    Ok(store)
}

fn fingerprint(der: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn hex(mut text: String, byte: &u8) -> String {
    write!(text, "{byte:02x}").expect("writing to a String cannot fail");
    text
}

/// X.509 dates before 1970 are possible; they all mean "long ago" here.
fn time(timestamp: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(timestamp).unwrap_or_default())
}
