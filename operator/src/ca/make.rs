//! Making of certificates.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::time::Duration;
use time::OffsetDateTime;

/// Clocks of nodes differ: certificates are valid from a little earlier.
pub(super) const SKEW: Duration = Duration::from_secs(300);

/// A certificate and its key, both PEM.
pub(super) struct Pair {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// The library that makes keys and certificates refused.
#[derive(Debug, thiserror::Error)]
#[error("a certificate cannot be made: {0}; this is a fault of the operator, please report it")]
pub struct CannotMake(#[from] rcgen::Error);

/// A certificate authority that signs itself.
pub(super) fn root(name: &str, now: OffsetDateTime, life: Duration) -> Result<Pair, CannotMake> {
    let key = KeyPair::generate()?;
    let certificate =
        authority(name, now, life, BasicConstraints::Unconstrained).self_signed(&key)?;
    Ok(pair(&certificate, &key))
}

/// A certificate authority signed by `root`, which may sign leaves only.
pub(super) fn intermediate(
    name: &str,
    root: &Pair,
    now: OffsetDateTime,
    life: Duration,
) -> Result<Pair, CannotMake> {
    let key = KeyPair::generate()?;
    let params = authority(name, now, life, BasicConstraints::Constrained(0));
    let certificate = params.signed_by(&key, &issuer(root)?)?;
    Ok(pair(&certificate, &key))
}

/// A certificate for servers and clients called `names`, signed by `root`.
pub(super) fn leaf(
    names: &[String],
    root: &Pair,
    now: OffsetDateTime,
    life: Duration,
) -> Result<Pair, CannotMake> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names.to_vec())?;
    valid(&mut params, now, life);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &issuer(root)?)?;
    Ok(pair(&certificate, &key))
}

fn authority(
    name: &str,
    now: OffsetDateTime,
    life: Duration,
    constraints: BasicConstraints,
) -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "weft");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    valid(&mut params, now, life);
    params
}

fn valid(params: &mut CertificateParams, now: OffsetDateTime, life: Duration) {
    params.not_before = now - SKEW;
    params.not_after = now + life;
}

fn issuer(pair: &Pair) -> Result<Issuer<'static, KeyPair>, CannotMake> {
    let key = KeyPair::from_pem(&pair.key)?;
    Ok(Issuer::from_ca_cert_pem(&pair.certificate, key)?)
}

fn pair(certificate: &rcgen::Certificate, key: &KeyPair) -> Pair {
    Pair {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
}
