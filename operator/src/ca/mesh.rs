//! Root and issuer of workload certificates: adopted where they exist, made where they do not,
//! never replaced where they cannot be read.

use super::make::{self, CannotMake, Pair};
use super::{ISSUER, ROOT, Texts};
use crate::resolve::Lives;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, crypto};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

/// What the two Secrets amount to.
#[derive(Debug, Eq, PartialEq)]
pub enum Authority {
    /// There is none: a first installation.
    Absent,
    /// There is a root and no issuer.
    NoIssuer,
    /// The issuer has lived half its life and the root can sign a successor.
    Aging(Facts),
    /// It works. `root_key` says why its root cannot sign a successor, where one is there.
    Sound {
        /// What it is.
        facts: Facts,
        /// What is wrong with the Secret of the root.
        root_key: Option<String>,
    },
    /// A Secret is there that cannot be used; only a person may replace it.
    Damaged {
        /// Its name.
        secret: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// What is told about a certificate authority.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Facts {
    /// All trusted roots, PEM.
    pub roots: String,
    /// SHA-256 of each, in hexadecimal.
    pub fingerprints: Vec<String>,
    /// End of the first root.
    pub root_not_after: OffsetDateTime,
    /// End of the issuer.
    pub issuer_not_after: OffsetDateTime,
}

/// Judges what the Secrets `weft-ca` and `weft-ca-root` hold.
pub fn authority(issuer: Option<&Texts>, root: Option<&Texts>, now: OffsetDateTime) -> Authority {
    let root = root.map(|root| signs(root, "root-cert.pem", "root-key.pem", now));
    let Some(issuer) = issuer else {
        return match root {
            None => Authority::Absent,
            Some(Ok(())) => Authority::NoIssuer,
            Some(Err(reason)) => Authority::Damaged {
                secret: ROOT,
                reason,
            },
        };
    };
    match signs(issuer, "ca-cert.pem", "ca-key.pem", now).and_then(|()| facts(issuer)) {
        Err(reason) => Authority::Damaged {
            secret: ISSUER,
            reason,
        },
        Ok((facts, half)) if now >= half && root == Some(Ok(())) => Authority::Aging(facts),
        Ok((facts, _)) => Authority::Sound {
            facts,
            root_key: root.and_then(Result::err),
        },
    }
}

/// A root and an issuer for `trust_domain`: the texts of `weft-ca-root` and of `weft-ca`.
///
/// # Errors
/// If the library that makes certificates refuses.
pub fn make_all(
    trust_domain: &str,
    lives: &Lives,
    now: OffsetDateTime,
) -> Result<(Texts, Texts), CannotMake> {
    let pair = make::root(&format!("root of {trust_domain}"), now, lives.root)?;
    let root = Texts::from([
        ("root-cert.pem".to_owned(), pair.certificate),
        ("root-key.pem".to_owned(), pair.key),
    ]);
    let issuer = issue(&root, None, trust_domain, (lives, now))?;
    Ok((root, issuer))
}

/// A new issuer, signed by `root`; roots that `old` trusts stay trusted.
///
/// # Errors
/// If the library that makes certificates refuses.
pub fn issue(
    root: &Texts,
    old: Option<&Texts>,
    trust_domain: &str,
    (lives, now): (&Lives, OffsetDateTime),
) -> Result<Texts, CannotMake> {
    let text = |key: &str| root.get(key).cloned().unwrap_or_default();
    let root = Pair {
        certificate: text("root-cert.pem"),
        key: text("root-key.pem"),
    };
    let name = format!("issuer of {trust_domain}");
    let pair = make::intermediate(&name, &root, now, lives.issuer)?;
    let trusted = old.and_then(|old| old.get("root-cert.pem").cloned());
    Ok(Texts::from([
        ("ca-cert.pem".to_owned(), pair.certificate.clone()),
        ("ca-key.pem".to_owned(), pair.key),
        ("cert-chain.pem".to_owned(), pair.certificate),
        (
            "root-cert.pem".to_owned(),
            trusted.unwrap_or(root.certificate),
        ),
    ]))
}

/// Whether a certificate signed with the key is trusted by the roots beside it: the whole use of a
/// certificate authority in one try. The error says what is wrong.
fn signs(texts: &Texts, certificate: &str, key: &str, now: OffsetDateTime) -> Result<(), String> {
    let text = |name: &str| {
        texts
            .get(name)
            .cloned()
            .ok_or_else(|| format!("key {name} is missing"))
    };
    let pair = Pair {
        certificate: text(certificate)?,
        key: text(key)?,
    };
    let roots = certificates(&text("root-cert.pem")?).map_err(|e| format!("root-cert.pem: {e}"))?;
    let chain = certificates(&pair.certificate).map_err(|e| format!("{certificate}: {e}"))?;
    let names = ["weft.invalid".to_owned()];
    let probe = make::leaf(&names, &pair, now, Duration::from_secs(60))
        .map_err(|_| format!("{key} is not the key of {certificate}, or not a private key"))?;
    let probe = certificates(&probe.certificate)?;
    verifier(roots)?
        .verify_client_cert(&probe[0], &chain, unix(now))
        .map(|_| ())
        .map_err(|error| {
            format!("what {certificate} signs is not trusted by root-cert.pem: {error}")
        })
}

fn verifier(roots: Vec<CertificateDer<'static>>) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store
            .add(root)
            .map_err(|error| format!("root-cert.pem: {error}"))?;
    }
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider)
        .build()
        .map_err(|error| format!("root-cert.pem: {error}"))
}

/// What is told of the authority, and when its issuer has lived half its life.
fn facts(issuer: &Texts) -> Result<(Facts, OffsetDateTime), String> {
    let text = |name: &str| issuer.get(name).map(String::as_str).unwrap_or_default();
    let roots = text("root-cert.pem");
    let ders = certificates(roots)?;
    let (start, end) =
        super::webhook::validity(text("ca-cert.pem")).ok_or("ca-cert.pem: no date")?;
    let (_, root_not_after) = super::webhook::validity(roots).ok_or("root-cert.pem: no date")?;
    let facts = Facts {
        roots: roots.to_owned(),
        fingerprints: ders.iter().map(|der| fingerprint(der)).collect(),
        root_not_after,
        issuer_not_after: end,
    };
    Ok((facts, start + (end - start) / 2))
}

fn fingerprint(der: &[u8]) -> String {
    Sha256::digest(der)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// All certificates of a PEM text, at least one.
pub(super) fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let blocks = pem::parse_many(text).map_err(|error| format!("not PEM ({error})"))?;
    let ders: Vec<_> = blocks
        .into_iter()
        .filter(|block| block.tag() == "CERTIFICATE")
        .map(|block| CertificateDer::from(block.into_contents()))
        .collect();
    if ders.is_empty() {
        Err("no certificate in it".to_owned())
    } else {
        Ok(ders)
    }
}

fn unix(now: OffsetDateTime) -> UnixTime {
    let seconds = u64::try_from(now.unix_timestamp()).unwrap_or_default();
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}
