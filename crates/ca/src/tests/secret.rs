//! The content of the Secret.

use crate::{InvalidCa, Material, Signer};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A root, an intermediate that it signed, and both their texts.
pub(super) fn material(now: SystemTime) -> Material {
    let root = CertifiedIssuer::self_signed(ca("root", now), KeyPair::generate().unwrap()).unwrap();
    let signing =
        CertifiedIssuer::signed_by(ca("intermediate", now), KeyPair::generate().unwrap(), &root)
            .unwrap();
    Material {
        certificate: signing.pem(),
        key: signing.key().serialize_pem(),
        chain: signing.pem(),
        roots: root.pem(),
    }
}

fn ca(name: &str, now: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_before = (now - DAY).into();
    params.not_after = (now + 10 * DAY).into();
    params
}

#[test]
#[rustfmt::skip]
fn a_secret_that_is_not_a_ca_is_refused_by_name() {
    let now = SystemTime::now();
    let (good, other) = (material(now), material(now));
    let leaf =
        CertifiedIssuer::self_signed(CertificateParams::default(), KeyPair::generate().unwrap())
            .unwrap();
    let not_a_ca = Material {
        certificate: leaf.pem(),
        key: leaf.key().serialize_pem(),
        chain: leaf.pem(),
        roots: leaf.pem(),
    };
    type Check = fn(&InvalidCa) -> bool;
    let table: [(&str, Material, SystemTime, Check); 7] = [
        ("no certificate", Material { certificate: String::new(), ..good.clone() }, now, |e| matches!(e, InvalidCa::Certificate(_))),
        ("no key", Material { key: "x".into(), ..good.clone() }, now, |e| matches!(e, InvalidCa::Key(_))),
        ("another key", Material { key: other.key.clone(), ..good.clone() }, now, |e| matches!(e, InvalidCa::KeyMismatch)),
        ("not a CA", not_a_ca, now, |e| matches!(e, InvalidCa::NotACa)),
        ("another root of the same name", Material { roots: other.roots.clone(), ..good.clone() }, now, |e| matches!(e, InvalidCa::NoRoot)),
        ("expired", good.clone(), now + 11 * DAY, |e| matches!(e, InvalidCa::NotNow { .. })),
        ("not valid yet", good.clone(), now - 2 * DAY, |e| matches!(e, InvalidCa::NotNow { .. })),
    ];
    for (rule, material, now, expected) in table {
        let error = Signer::load(&material, now).unwrap_err();
        assert!(expected(&error), "{rule}: {error}");
    }
    assert!(Signer::load(&good, now).is_ok());
}

#[test]
fn two_roots_are_trusted_while_one_replaces_the_other() {
    let now = SystemTime::now();
    let (old, new) = (material(now), material(now));
    let roots = format!("{}{}", old.roots, new.roots);
    for signing in [old, new] {
        let signer = Signer::load(
            &Material {
                roots: roots.clone(),
                ..signing
            },
            now,
        )
        .unwrap();
        assert_eq!(signer.roots(), roots);
    }
}

#[test]
fn a_signer_prints_no_key() {
    let material = material(SystemTime::now());
    let signer = Signer::load(&material, SystemTime::now()).unwrap();
    let printed = format!("{signer:?} {material:?}");
    assert!(
        !printed.contains("PRIVATE") && printed.len() < 200,
        "{printed}"
    );
}
