//! TLS of the data path: settings become rustls configurations, kept until the identity changes.
//!
//! The rules of the mesh (versions, groups, verification, no resumption) are `weft_identity::tls`'s.

mod client;
mod server;

pub use client::{Client, check as check_client, connect};
pub use server::{Handshake, accept, check as check_server};

use super::conn::{PeerIdentity, TlsParameters};
use super::report::Recorder;
use crate::config::{StringMatch, TlsIdentity};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, CommonState, ProtocolVersion};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;
use weft_identity::tls::{Names, Peers, Versions};
use weft_identity::{Identity, Leaf};

/// ALPN of TCP connections between mesh proxies that tell each other who they are.
pub const PEER_EXCHANGE: &str = "istio-peer-exchange";

/// Why settings make no TLS. Our own fault or the configuration's, never the peer's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The CA has not answered yet, or the certificate has expired.
    #[error("this workload has no certificate; see the proxy's log for what the CA said")]
    NoIdentity,
    /// Names that mesh certificates cannot have.
    #[error(
        "{0:?} is no condition on SPIFFE names; use exact names or a prefix spiffe://<domain>/"
    )]
    Names(String),
    /// A certificate, key or root that cannot be read.
    #[error("{0}")]
    Material(String),
    /// Combinations that are not built.
    #[error("{0}")]
    Unsupported(&'static str),
    /// A server name that is not a DNS name.
    #[error("{0:?} is not a server name")]
    ServerName(String),
}

/// What is said of a secret that only SDS could bring.
const SECRET: &str = "secrets come from the control plane; give a certificate";

/// rustls configurations of one worker, made with one identity.
#[derive(Debug)]
struct Cache<K, V> {
    inner: RefCell<Made<K, V>>,
}

#[derive(Debug)]
struct Made<K, V> {
    identity: Option<Arc<Identity>>,
    configs: HashMap<K, V>,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self {
            inner: RefCell::new(Made {
                identity: None,
                configs: HashMap::new(),
            }),
        }
    }
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// The configuration for `key`; everything is made anew after a rotation.
    fn get(
        &self,
        key: K,
        identity: Option<&Arc<Identity>>,
        make: impl FnOnce() -> Result<V, Unusable>,
    ) -> Result<V, Unusable> {
        let mut made = self.inner.borrow_mut();
        let same = match (&made.identity, identity) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            (old, new) => old.is_none() && new.is_none(),
        };
        if !same {
            made.configs.clear();
            made.identity = identity.cloned();
        }
        if let Some(config) = made.configs.get(&key) {
            return Ok(config.clone());
        }
        let config = make()?;
        made.configs.insert(key, config.clone());
        Ok(config)
    }

    fn forget(&self) {
        self.inner.borrow_mut().configs.clear();
    }
}

/// A worker's caches.
#[derive(Debug, Default)]
pub struct Configs {
    servers: server::Servers,
    clients: client::Clients,
}

impl Configs {
    /// Forgets what an earlier configuration asked for.
    pub fn forget(&self) {
        self.servers.forget();
        self.clients.forget();
    }
}

/// The identities that `names` accept; our own trust domain when there are none.
fn peers(names: &[StringMatch], own: &Identity) -> Result<Peers, Unusable> {
    if names.is_empty() {
        let id = own.leaf().id.as_ref().ok_or(Unusable::NoIdentity)?;
        return trust_domain(id.trust_domain()).map(|domain| Peers::AnyIn([domain].into()));
    }
    let bad = |name: &StringMatch| Unusable::Names(format!("{name:?}"));
    let exact: Option<BTreeSet<_>> = names.iter().map(exact_id).collect();
    if let Some(ids) = exact {
        return Ok(Peers::Only(ids));
    }
    let domains = names.iter().map(|name| match name {
        StringMatch::Prefix(prefix, false) => {
            let domain = prefix
                .strip_prefix("spiffe://")
                .and_then(|rest| rest.strip_suffix('/'));
            trust_domain(domain.ok_or_else(|| bad(name))?)
        }
        StringMatch::Exact(..)
        | StringMatch::Prefix(..)
        | StringMatch::Suffix(..)
        | StringMatch::Contains(..)
        | StringMatch::Regex(_) => Err(bad(name)),
    });
    domains.collect::<Result<_, _>>().map(Peers::AnyIn)
}

/// The names that `sans` accept outside the mesh; any if there are none.
fn names(sans: &[StringMatch]) -> Names {
    let sans = sans.to_vec();
    match sans.is_empty() {
        true => Names::Any,
        false => Names::Matching(Arc::new(move |name| {
            sans.iter().any(|san| san.matches(name))
        })),
    }
}

/// Chain and key that we show.
fn key(of: &TlsIdentity, workload: Option<&Identity>) -> Result<Arc<CertifiedKey>, Unusable> {
    match of {
        TlsIdentity::Workload => {
            let workload = workload.ok_or(Unusable::NoIdentity)?;
            Ok(Arc::clone(workload.certified_key()))
        }
        TlsIdentity::Secret(_) => Err(Unusable::Unsupported(SECRET)),
        TlsIdentity::Pem { chain, key } => {
            let own = Identity::parse(chain, key, chain)
                .map_err(|error| Unusable::Material(error.to_string()))?;
            Ok(Arc::clone(own.certified_key()))
        }
    }
}

fn versions(tls12: bool) -> Versions {
    match tls12 {
        true => Versions::Both,
        false => Versions::Newest,
    }
}

fn exact_id(name: &StringMatch) -> Option<weft_identity::SpiffeId> {
    match name {
        StringMatch::Exact(uri, _) => uri.parse().ok(),
        StringMatch::Prefix(..)
        | StringMatch::Suffix(..)
        | StringMatch::Contains(..)
        | StringMatch::Regex(_) => None,
    }
}

fn trust_domain(name: &str) -> Result<weft_identity::TrustDomain, Unusable> {
    name.parse().map_err(|_| Unusable::Names(name.to_owned()))
}

/// Who proved to be at the other end of a handshake.
fn peer(state: &CommonState, report: &Recorder) -> Option<PeerIdentity> {
    let leaf = Leaf::parse(state.peer_certificates()?.first()?).ok()?;
    Some(PeerIdentity {
        uri: leaf.id.as_ref().map(|id| report.intern(id.as_str())),
        dns: leaf
            .dns_names
            .iter()
            .map(|name| Arc::from(name.as_str()))
            .collect(),
        cert_sha256: leaf.fingerprint_hex().into(),
        subject: leaf.subject.into(),
    })
}

fn agreed(state: &CommonState, report: &Recorder) -> Option<Arc<str>> {
    let name = std::str::from_utf8(state.alpn_protocol()?).ok()?;
    Some(report.intern(name))
}

fn parameters(state: &CommonState) -> TlsParameters {
    let version = match state.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => "TLSv1.2",
    };
    let suite = state.negotiated_cipher_suite().map(|suite| suite.suite());
    TlsParameters {
        version,
        cipher: suite.map_or("", cipher_name),
    }
}

/// IANA's names of TLS 1.3, OpenSSL's of TLS 1.2, as Envoy writes them.
fn cipher_name(suite: CipherSuite) -> &'static str {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        other => other.as_str().unwrap_or(""),
    }
}
