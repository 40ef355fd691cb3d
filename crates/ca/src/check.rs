//! What is asked for: a PKCS#10 request against what its caller may have.

use crate::Refused;
use rcgen::SubjectPublicKeyInfo;
use std::fmt;
use weft_identity::SpiffeId;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::extensions::{ExtendedKeyUsage, GeneralName, ParsedExtension};
use x509_parser::oid_registry::{OID_EC_P256, OID_NIST_EC_P384, OID_SIG_ED25519, Oid};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

/// A request with an RSA key of 8192 bits has about 3 KiB.
const LONGEST_REQUEST: usize = 16 << 10;
/// Bits of an RSA key: fewer are weak, more are a way to make us work.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A request that may be signed: whose it is, and its key. Nothing else of it reaches the certificate.
pub struct Checked {
    pub(crate) id: SpiffeId,
    pub(crate) key: SubjectPublicKeyInfo,
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Checked").field(&self.id).finish()
    }
}

impl Checked {
    /// Checks that `request`, in PEM, asks for `caller`'s certificate and nothing else, with its own key.
    ///
    /// # Errors
    /// What it asks for that it may not have.
    pub fn new(request: &str, caller: &SpiffeId) -> Result<Self, Refused> {
        if request.len() > LONGEST_REQUEST {
            return Err(Refused::TooLong {
                length: request.len(),
                limit: LONGEST_REQUEST,
            });
        }
        let der = der(request)?;
        let (rest, request) =
            X509CertificationRequest::from_der(&der).map_err(|_| Refused::NotARequest)?;
        if !rest.is_empty() {
            return Err(Refused::NotARequest);
        }
        let key = key(&request)?;
        request
            .verify_signature()
            .map_err(|_| Refused::RequestSignature)?;
        names(&request, caller)?;
        Ok(Self {
            id: caller.clone(),
            key,
        })
    }
}

fn der(request: &str) -> Result<Vec<u8>, Refused> {
    let mut blocks = pem::parse_many(request).map_err(|_| Refused::NotARequest)?;
    match (blocks.pop(), blocks.is_empty()) {
        (Some(block), true) if block.tag() == "CERTIFICATE REQUEST" => Ok(block.into_contents()),
        _ => Err(Refused::NotARequest),
    }
}

fn key(request: &X509CertificationRequest<'_>) -> Result<SubjectPublicKeyInfo, Refused> {
    let info = &request.certification_request_info.subject_pki;
    let found = match info.parsed().map_err(|_| Refused::NotARequest)? {
        PublicKey::RSA(key) if RSA_BITS.contains(&key.key_size()) => None,
        PublicKey::RSA(key) => Some(format!("{}-bit RSA", key.key_size())),
        PublicKey::EC(_) => {
            let curve: Option<Oid<'_>> = info
                .algorithm
                .parameters
                .as_ref()
                .and_then(|of| of.as_oid().ok());
            let known = curve
                .as_ref()
                .is_some_and(|curve| [OID_EC_P256, OID_NIST_EC_P384].contains(curve));
            (!known).then(|| {
                format!(
                    "ECDSA {}",
                    curve.map(|of| of.to_id_string()).unwrap_or_default()
                )
            })
        }
        _ if info.algorithm.algorithm == OID_SIG_ED25519 => None,
        _ => Some(info.algorithm.algorithm.to_id_string()),
    };
    match found {
        Some(found) => Err(Refused::Key { found }),
        None => SubjectPublicKeyInfo::from_der(info.raw).map_err(|_| Refused::Key {
            found: info.algorithm.algorithm.to_id_string(),
        }),
    }
}

/// Exactly the caller's name, in the one place for it.
fn names(request: &X509CertificationRequest<'_>, caller: &SpiffeId) -> Result<(), Refused> {
    let info = &request.certification_request_info;
    let mut asked: Vec<String> = info
        .subject
        .iter_common_name()
        .map(|name| format!("CN={}", name.as_str().unwrap_or("?")))
        .collect();
    for attribute in info.iter_attributes() {
        if let ParsedCriAttribute::ExtensionRequest(wanted) = attribute.parsed_attribute() {
            for extension in &wanted.extensions {
                asked.extend(extension_names(
                    extension.parsed_extension(),
                    &extension.oid,
                )?);
            }
        }
    }
    if asked != [caller.as_str()] {
        let asked = if asked.is_empty() {
            "no name".into()
        } else {
            excerpt(&asked.join(", "))
        };
        return Err(Refused::OtherName {
            asked,
            caller: caller.clone(),
        });
    }
    Ok(())
}

/// The names in one wished extension; a wish that a workload has no use for is refused.
fn extension_names(extension: &ParsedExtension<'_>, oid: &Oid<'_>) -> Result<Vec<String>, Refused> {
    match extension {
        ParsedExtension::SubjectAlternativeName(names) => {
            Ok(names.general_names.iter().map(name).collect())
        }
        ParsedExtension::BasicConstraints(of) if of.ca => Err(Refused::AsksForCa),
        ParsedExtension::KeyUsage(of) if of.key_cert_sign() || of.crl_sign() => {
            Err(Refused::AsksForCa)
        }
        ParsedExtension::ExtendedKeyUsage(of) if !is_tls_only(of) => Err(Refused::Extension {
            what: "an extended key usage beside TLS".into(),
        }),
        ParsedExtension::BasicConstraints(_)
        | ParsedExtension::KeyUsage(_)
        | ParsedExtension::ExtendedKeyUsage(_) => Ok(Vec::new()),
        _ => Err(Refused::Extension {
            what: format!("extension {oid}"),
        }),
    }
}

fn is_tls_only(usage: &ExtendedKeyUsage<'_>) -> bool {
    let others = usage.any
        || usage.code_signing
        || usage.email_protection
        || usage.time_stamping
        || usage.ocsp_signing;
    !others && usage.other.is_empty()
}

fn name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::URI(uri) => (*uri).to_owned(),
        other => other.to_string(),
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(200).collect()
}
