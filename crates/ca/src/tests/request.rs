//! Signing requests, hostile and good.

use super::secret;
use crate::{Checked, Refused, Signer};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequest, CustomExtension,
    DistinguishedName, DnType,
};
use rcgen::{
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, RsaKeySize, SanType,
    SignatureAlgorithm,
};
use rcgen::{
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519,
    PKCS_RSA_SHA256,
};
use std::time::{Duration, SystemTime};
use weft_identity::{Identity, Leaf, SpiffeId, cert, csr};

const HOUR: Duration = Duration::from_secs(3600);

fn cart() -> SpiffeId {
    "spiffe://cluster.local/ns/shop/sa/cart".parse().unwrap()
}

fn uri(name: &str) -> SanType {
    SanType::URI(name.try_into().unwrap())
}

/// A request for the cart's name, changed by `change`.
fn request(change: impl FnOnce(&mut CertificateParams)) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![uri(cart().as_str())];
    change(&mut params);
    text(
        params
            .serialize_request(&KeyPair::generate().unwrap())
            .unwrap(),
    )
}

fn text(request: CertificateSigningRequest) -> String {
    request.pem().unwrap()
}

fn with_key(key: &KeyPair) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![uri(cart().as_str())];
    text(params.serialize_request(key).unwrap())
}

fn key_of(algorithm: &'static SignatureAlgorithm) -> String {
    with_key(&KeyPair::generate_for(algorithm).unwrap())
}

/// The last byte of the signature changed.
fn forged(request: &str) -> String {
    let block = pem::parse(request).unwrap();
    let mut der = block.contents().to_vec();
    *der.last_mut().unwrap() ^= 1;
    pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", der))
}

#[test]
#[rustfmt::skip]
fn a_hostile_request_is_refused_by_name() {
    let good = request(|_| {});
    let certificate = good.replace("CERTIFICATE REQUEST", "CERTIFICATE");
    let table = [
        ("another account", request(|p| p.subject_alt_names = vec![uri("spiffe://cluster.local/ns/shop/sa/admin")]), "other_name"),
        ("another trust domain", request(|p| p.subject_alt_names = vec![uri("spiffe://other/ns/shop/sa/cart")]), "other_name"),
        ("a second URI", request(|p| p.subject_alt_names.push(uri("spiffe://cluster.local/ns/shop/sa/admin"))), "other_name"),
        ("the same URI twice", request(|p| p.subject_alt_names.push(uri(cart().as_str()))), "other_name"),
        ("a DNS name beside", request(|p| p.subject_alt_names.push(SanType::DnsName("weft-control".try_into().unwrap()))), "other_name"),
        ("an address beside", request(|p| p.subject_alt_names.push(SanType::IpAddress("10.0.0.1".parse().unwrap()))), "other_name"),
        ("a common name", request(|p| p.distinguished_name.push(DnType::CommonName, "admin")), "other_name"),
        ("no name", request(|p| p.subject_alt_names.clear()), "other_name"),
        ("a CA", request(|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)), "asks_for_ca"),
        ("the right to sign", request(|p| p.key_usages = vec![KeyUsagePurpose::KeyCertSign]), "asks_for_ca"),
        ("code signing", request(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning]), "extension"),
        ("an unknown extension", request(|p| p.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0])]), "extension"),
        ("P-521", key_of(&PKCS_ECDSA_P521_SHA512), "key"),
        ("a forged signature", forged(&good), "request_signature"),
        ("nothing", String::new(), "not_a_request"),
        ("not PEM", "hello".into(), "not_a_request"),
        ("two requests", format!("{good}{good}"), "not_a_request"),
        ("a certificate", certificate, "not_a_request"),
        ("a megabyte", "x".repeat(1 << 20), "too_long"),
    ];
    for (rule, request, code) in table {
        let refused = Checked::new(&request, &cart()).unwrap_err();
        assert_eq!(refused.code(), code, "{rule}: {refused}");
        assert!(!refused.is_about_the_caller(), "{rule}");
    }
}

#[test]
fn a_request_for_the_callers_own_name_is_good_with_any_strong_key() {
    let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let table = [
        ("our own", csr::request(&cart()).csr_pem),
        ("P-256", key_of(&PKCS_ECDSA_P256_SHA256)),
        ("P-384", key_of(&PKCS_ECDSA_P384_SHA384)),
        ("Ed25519", key_of(&PKCS_ED25519)),
        ("RSA", with_key(&rsa)),
        (
            "an organisation",
            request(|p| p.distinguished_name.push(DnType::OrganizationName, "")),
        ),
        (
            "TLS usages",
            request(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
        ),
    ];
    for (rule, request) in table {
        let checked = Checked::new(&request, &cart());
        assert!(checked.is_ok(), "{rule}: {checked:?}");
        let signer = Signer::load(&secret::material(SystemTime::now()), SystemTime::now()).unwrap();
        assert!(
            signer
                .issue(&checked.unwrap(), HOUR, HOUR, SystemTime::now())
                .is_ok(),
            "{rule}"
        );
    }
}

#[test]
#[rustfmt::skip]
fn a_life_is_what_was_wished_within_limits() {
    let now = SystemTime::now();
    let signer = Signer::load(&secret::material(now), now).unwrap();
    let checked = Checked::new(&request(|_| {}), &cart()).unwrap();
    let table = [
        // wished, longest, got; seconds
        (60, 3600, 60),
        (7200, 3600, 3600),
        (0, 3600, 3600),
        (1, 3600, 30),                 // too short to be renewed
        (10 * 365 * 86400, 400 * 86400, signer.remaining(now).as_secs()), // never beyond the CA's own
    ];
    for (wished, longest, got) in table {
        let issued = signer.issue(&checked, Duration::from_secs(wished), Duration::from_secs(longest), now).unwrap();
        let leaf = Leaf::parse(&cert::certificates("leaf", &issued.chain[0]).unwrap()[0]).unwrap();
        let life = leaf.not_after.duration_since(now).unwrap_or_default().as_secs_f64().round();
        assert!((life - got as f64).abs() <= 1.0, "wished {wished}, longest {longest}: {life}");
        assert!(now.duration_since(leaf.not_before).unwrap() <= Duration::from_secs(61));
    }
}

#[test]
fn a_certificate_says_who_the_caller_is_and_nothing_else() {
    let now = SystemTime::now();
    let signer = Signer::load(&secret::material(now), now).unwrap();
    let asked = csr::request(&cart());
    let checked = Checked::new(&asked.csr_pem, &cart()).unwrap();
    let issue = || signer.issue(&checked, HOUR, HOUR, now).unwrap().chain;
    let chain = issue();
    assert_eq!(chain.len(), 3, "leaf, intermediate, roots");

    let identity = Identity::parse(&chain[..2].concat(), &asked.key_pem, &chain[2]).unwrap();
    let leaf = identity.leaf();
    assert_eq!(
        (leaf.id.clone(), leaf.is_ca, &*leaf.subject),
        (Some(cart()), false, "")
    );
    let again = &cert::certificates("leaf", &issue()[0]).unwrap()[0];
    assert_ne!(
        Leaf::parse(again).unwrap().serial,
        leaf.serial,
        "serial numbers are random"
    );

    use x509_parser::prelude::{FromDer, X509Certificate};
    let (_, parsed) = X509Certificate::from_der(&identity.chain()[0]).unwrap();
    let names = parsed.subject_alternative_name().unwrap().unwrap();
    assert!(names.critical, "an empty subject makes the name critical");
    let usage = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && usage.client_auth);
    assert!(
        parsed
            .key_usage()
            .unwrap()
            .unwrap()
            .value
            .digital_signature()
    );
}

#[test]
fn an_expired_ca_signs_nothing() {
    let now = SystemTime::now();
    let signer = Signer::load(&secret::material(now), now).unwrap();
    let checked = Checked::new(&request(|_| {}), &cart()).unwrap();
    let refused = signer
        .issue(&checked, HOUR, HOUR, now + 11 * 24 * HOUR)
        .unwrap_err();
    assert!(matches!(refused, Refused::NoCa { .. }));
}
