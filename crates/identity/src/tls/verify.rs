//! Who is at the other end: chain, purpose and exactly one SPIFFE name.

use super::{ClientCertificate, provider};
use crate::cert::{self, InvalidIdentity};
use crate::spiffe::{InvalidSpiffeId, SpiffeId, TrustDomain};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    PeerIncompatible, RootCertStore, SignatureScheme,
};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::extensions::ExtendedKeyUsage;

/// id-kp-serverAuth and id-kp-clientAuth, DER bodies (RFC 5280 §4.2.1.12).
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

/// Which identities are accepted at the other end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Peers {
    /// Anybody in one of these trust domains.
    AnyIn(BTreeSet<TrustDomain>),
    /// One of these only.
    Only(BTreeSet<SpiffeId>),
}

impl Peers {
    /// Anybody in one trust domain.
    pub fn of(domain: TrustDomain) -> Self {
        Self::AnyIn(BTreeSet::from([domain]))
    }

    fn accept(&self, id: &SpiffeId) -> bool {
        match self {
            Self::AnyIn(domains) => domains
                .iter()
                .any(|domain| domain.as_str() == id.trust_domain()),
            Self::Only(ids) => ids.contains(id),
        }
    }
}

/// Which names of a certificate are accepted at the other end of a connection outside the mesh.
#[derive(Clone)]
pub enum Names {
    /// Whatever the roots have signed.
    Any,
    /// A certificate with a DNS or URI name that this says yes to.
    Matching(Arc<dyn Fn(&str) -> bool + Send + Sync>),
    /// The server's name that the client asks for; no client has that.
    Asked,
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any name",
            Self::Matching(_) => "the configured names",
            Self::Asked => "the server name",
        })
    }
}

/// Whose certificates are accepted.
#[derive(Clone, Debug)]
pub(super) enum Accept {
    /// The mesh's rules: one SPIFFE name, TLS 1.3.
    Mesh(Peers),
    /// The configuration's rules.
    Outside(Names),
}

/// Why a peer whose chain is good is still not trusted. Found inside
/// `rustls::Error::InvalidCertificate(CertificateError::Other(..))`.
#[derive(Debug, thiserror::Error)]
pub enum Untrusted {
    /// None or several URI names.
    #[error("the peer's certificate has {0} URI names; a mesh certificate has exactly one")]
    NotOneName(usize),
    /// A URI name that is not a workload identity.
    #[error("the peer's certificate names {0}")]
    Name(#[from] InvalidSpiffeId),
    /// An identity that is not accepted here.
    #[error("the peer is {id}, which is not accepted here; expected {expected}")]
    NotAccepted {
        /// Who the peer is.
        id: SpiffeId,
        /// Who would have been accepted.
        expected: String,
    },
    /// Names of which none is accepted here.
    #[error("the peer's certificate has none of the names that are accepted here")]
    NoName,
    /// A key usage that forbids signatures, and so TLS.
    #[error("the peer's certificate may not be used for digital signatures")]
    KeyUsage,
    /// A leaf that is not for this end of a connection.
    #[error("the peer's certificate is not for this purpose; it needs serverAuth and clientAuth")]
    Purpose,
    /// A certificate that webpki let through but that cannot be read.
    #[error(transparent)]
    Unreadable(#[from] InvalidIdentity),
}

/// What both directions check alike.
#[derive(Debug)]
struct Check {
    roots: Arc<RootCertStore>,
    accept: Accept,
    algorithms: WebPkiSupportedAlgorithms,
    usage: &'static [u8],
}

impl Check {
    fn new(roots: Arc<RootCertStore>, accept: Accept, usage: &'static [u8]) -> Self {
        Self {
            roots,
            accept,
            algorithms: provider().signature_verification_algorithms,
            usage,
        }
    }

    fn peer(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        asked: Option<&ServerName<'_>>,
        now: UnixTime,
    ) -> Result<(), Error> {
        EndEntityCert::try_from(leaf)
            .and_then(|cert| {
                if let (Accept::Outside(Names::Asked), Some(asked)) = (&self.accept, asked) {
                    cert.verify_is_valid_for_subject_name(asked)?;
                }
                cert.verify_for_usage(
                    self.algorithms.all,
                    &self.roots.roots,
                    intermediates,
                    now,
                    // Signing certificates such as Istio's `cacerts` have no extended key usage.
                    KeyUsage::required_if_present(self.usage),
                    None,
                    None,
                )
                .map(drop)
            })
            .map_err(chain_error)?;
        let named = match &self.accept {
            Accept::Mesh(peers) => self.identity(leaf, peers),
            Accept::Outside(names) => any_name(leaf, names),
        };
        named.map_err(|error| {
            Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
        })
    }

    fn identity(&self, leaf: &CertificateDer<'_>, peers: &Peers) -> Result<(), Untrusted> {
        let leaf = cert::x509("certificate", leaf)?;
        // webpki does not look at key usage.
        let signs = leaf
            .key_usage()
            .is_ok_and(|usage| usage.is_none_or(|u| u.value.digital_signature()));
        if !signs {
            return Err(Untrusted::KeyUsage);
        }
        let purpose = leaf.extended_key_usage().ok().flatten();
        let fits = |of: &ExtendedKeyUsage<'_>| match self.usage == CLIENT_AUTH {
            true => of.client_auth,
            false => of.server_auth,
        };
        if !purpose.is_some_and(|purpose| fits(purpose.value)) {
            return Err(Untrusted::Purpose);
        }
        let names = cert::names(&leaf)?;
        let &[uri] = &names.uris[..] else {
            return Err(Untrusted::NotOneName(names.uris.len()));
        };
        let id: SpiffeId = uri.parse()?;
        if !peers.accept(&id) {
            return Err(Untrusted::NotAccepted {
                id,
                expected: format!("{peers:?}"),
            });
        }
        Ok(())
    }

    fn tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.accept {
            Accept::Mesh(_) => Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered)),
            Accept::Outside(_) => {
                verify_tls12_signature(message, cert, signature, &self.algorithms)
            }
        }
    }
}

fn any_name(leaf: &CertificateDer<'_>, names: &Names) -> Result<(), Untrusted> {
    let accepts = match names {
        Names::Any | Names::Asked => return Ok(()),
        Names::Matching(accepts) => accepts,
    };
    let leaf = cert::x509("certificate", leaf)?;
    let found = cert::names(&leaf)?;
    let mut all = found.uris.iter().chain(&found.dns);
    all.any(|name| accepts(name))
        .then_some(())
        .ok_or(Untrusted::NoName)
}

fn chain_error(error: webpki::Error) -> Error {
    use webpki::Error as Chain;
    let reason = match error {
        Chain::CertExpired { .. } => CertificateError::Expired,
        Chain::CertNotValidYet { .. } => CertificateError::NotValidYet,
        Chain::UnknownIssuer => CertificateError::UnknownIssuer,
        Chain::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        Chain::BadDer => CertificateError::BadEncoding,
        Chain::CertNotValidForName(_) => CertificateError::NotValidForName,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    };
    Error::InvalidCertificate(reason)
}

/// Verifies clients: of the mesh's inbound port, or of a listener with roots of its own.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    check: Check,
    client: ClientCertificate,
}

impl ClientVerifier {
    pub(super) fn new(
        roots: Arc<RootCertStore>,
        accept: Accept,
        client: ClientCertificate,
    ) -> Self {
        Self {
            check: Check::new(roots, accept, CLIENT_AUTH),
            client,
        }
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.client == ClientCertificate::Required
    }

    /// No hints: they would tell a stranger our CA's name, and every mesh client has one certificate.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check
            .peer(leaf, intermediates, None, now)
            .map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check.tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &self.check.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.check.algorithms.supported_schemes()
    }
}

/// Verifies servers: of the mesh, by identity and not by name; others by the configuration's rules.
#[derive(Debug)]
pub(super) struct ServerVerifier {
    check: Check,
}

impl ServerVerifier {
    pub(super) fn new(roots: Arc<RootCertStore>, accept: Accept) -> Self {
        Self {
            check: Check::new(roots, accept, SERVER_AUTH),
        }
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        asked: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check
            .peer(leaf, intermediates, Some(asked), now)
            .map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check.tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &self.check.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.check.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
    use rcgen::{DnType, ExtendedKeyUsagePurpose as Purpose};

    #[test]
    fn a_leaf_says_its_purpose_and_its_ca_need_not() {
        let table: [(&[Purpose], bool, bool); 4] = [
            // purposes, is a client, is a server
            (&[Purpose::ClientAuth, Purpose::ServerAuth], true, true),
            (&[Purpose::ServerAuth], false, true),
            (&[Purpose::ClientAuth], true, false),
            (&[], false, false),
        ];
        for (purposes, client, server) in table {
            assert_eq!(accepted(purposes, CLIENT_AUTH), client, "{purposes:?}");
            assert_eq!(accepted(purposes, SERVER_AUTH), server, "{purposes:?}");
        }
    }

    /// Whether a leaf of these purposes is accepted, by way of an intermediate that names none.
    fn accepted(purposes: &[Purpose], usage: &'static [u8]) -> bool {
        let ca = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params
        };
        let key = || KeyPair::generate().unwrap();
        let root = CertifiedIssuer::self_signed(ca("root"), key()).unwrap();
        let signing = CertifiedIssuer::signed_by(ca("signing"), key(), &root).unwrap();
        let mut leaf = CertificateParams::default();
        let name = "spiffe://td/ns/shop/sa/cart".try_into().unwrap();
        leaf.subject_alt_names = vec![SanType::URI(name)];
        leaf.extended_key_usages = purposes.to_vec();
        let leaf = leaf.signed_by(&key(), &signing).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        let check = Check::new(
            Arc::new(roots),
            Accept::Mesh(Peers::of("td".parse().unwrap())),
            usage,
        );
        check
            .peer(leaf.der(), &[signing.der().clone()], None, UnixTime::now())
            .is_ok()
    }
}
