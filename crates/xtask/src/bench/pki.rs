//! Certificates of the pair: one root, one leaf for each side, as in a mesh.

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use std::path::Path;

/// Writes `root.pem`, `{client,server}.pem` and `{client,server}-key.pem`.
pub(super) fn write(folder: &Path) -> Result<()> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let root = params.self_signed(&key)?;
    save(folder, "root.pem", &root.pem())?;
    let issuer = Issuer::new(params, key);
    for name in ["client", "server"] {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        let id = format!("spiffe://cluster.local/ns/bench/sa/{name}");
        params.subject_alt_names = vec![SanType::URI(id.try_into()?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        save(
            folder,
            &format!("{name}.pem"),
            &params.signed_by(&key, &issuer)?.pem(),
        )?;
        save(folder, &format!("{name}-key.pem"), &key.serialize_pem())?;
    }
    Ok(())
}

fn save(folder: &Path, name: &str, text: &str) -> Result<()> {
    std::fs::write(folder.join(name), text).with_context(|| format!("write {name}"))
}
