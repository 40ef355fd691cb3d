//! The TLS of a server.

use super::{Certificate, Clients, Termination};
use crate::routing::check::{Fault, fault};
use weft_api::networking::gateway::{ServerTls, ServerTlsMode as Mode, TlsProtocol};

/// TLS that ends at the gateway.
pub(super) fn termination(at: &str, of: &ServerTls) -> Result<Termination, Fault> {
    refuse(at, of)?;
    let mode = of.mode.unwrap_or_default();
    let (certificate, clients) = match mode {
        Mode::IstioMutual => (Certificate::Mesh, Clients::Mesh),
        Mode::Simple | Mode::Mutual | Mode::OptionalMutual => {
            let name = credential(at, of)?;
            let roots = of.ca_cert_credential_name.clone().unwrap_or(name.clone());
            let clients = match mode {
                Mode::Mutual => Clients::Verified(roots),
                Mode::OptionalMutual => Clients::Optional(roots),
                Mode::Simple | Mode::Passthrough | Mode::AutoPassthrough | Mode::IstioMutual => {
                    Clients::Anonymous
                }
            };
            (Certificate::Secret(name), clients)
        }
        Mode::Passthrough | Mode::AutoPassthrough => {
            let remedy = "use PASSTHROUGH with tls routes of a VirtualService";
            return fault(
                format!("{at}.mode"),
                "AUTO_PASSTHROUGH is not supported",
                remedy,
            );
        }
    };
    if mode == Mode::IstioMutual && of.credential_name.is_some() {
        let remedy = "remove it, or use mode MUTUAL";
        let field = format!("{at}.credentialName");
        return fault(field, "the mesh's own certificates are used", remedy);
    }
    if clients == Clients::Anonymous && !of.subject_alt_names.is_empty() {
        let remedy = "use mode MUTUAL";
        let field = format!("{at}.subjectAltNames");
        return fault(field, "clients show no certificates", remedy);
    }
    Ok(Termination {
        certificate,
        clients,
        names: of.subject_alt_names.clone(),
        newest_only: newest_only(at, of)?,
    })
}

/// The one Secret with a certificate.
fn credential(at: &str, of: &ServerTls) -> Result<String, Fault> {
    let names: Vec<&String> = of
        .credential_name
        .iter()
        .chain(&of.credential_names)
        .collect();
    let field = format!("{at}.credentialName");
    match names[..] {
        [name] if name.is_empty() || name.contains('/') => fault(
            field,
            format!("`{name}` is not the name of a Secret"),
            "name a Secret in the namespace of the gateway's pods",
        ),
        [name] => Ok(name.clone()),
        [] => fault(
            field,
            "it is missing",
            "name a Secret with tls.crt and tls.key",
        ),
        _ => fault(
            format!("{at}.credentialNames"),
            "proxies show one certificate",
            "keep one name",
        ),
    }
}

/// What would make connections safer than they would be without it.
fn refuse(at: &str, of: &ServerTls) -> Result<(), Fault> {
    let files = [
        ("serverCertificate", of.server_certificate.is_some()),
        ("privateKey", of.private_key.is_some()),
        ("caCertificates", of.ca_certificates.is_some()),
        ("tlsCertificates", !of.tls_certificates.is_empty()),
    ];
    if let Some((name, _)) = files.iter().find(|(_, there)| *there) {
        let remedy = "put them into a Secret and name it as credentialName";
        return fault(format!("{at}.{name}"), "files are not read", remedy);
    }
    let others = [
        ("caCrl", of.ca_crl.is_some()),
        (
            "verifyCertificateSpki",
            !of.verify_certificate_spki.is_empty(),
        ),
        (
            "verifyCertificateHash",
            !of.verify_certificate_hash.is_empty(),
        ),
        ("insecureSkipVerify", of.insecure_skip_verify == Some(true)),
    ];
    match others.iter().find(|(_, there)| *there) {
        None => Ok(()),
        Some((name, _)) => fault(
            format!("{at}.{name}"),
            "it is not supported",
            "remove it; subjectAltNames names clients",
        ),
    }
}

fn newest_only(at: &str, of: &ServerTls) -> Result<bool, Fault> {
    match of.max_protocol_version.unwrap_or_default() {
        TlsProtocol::Auto | TlsProtocol::V13 => {}
        TlsProtocol::V10 | TlsProtocol::V11 | TlsProtocol::V12 => {
            let remedy = "remove it, or write TLSV1_3";
            let field = format!("{at}.maxProtocolVersion");
            return fault(field, "proxies always speak TLS 1.3", remedy);
        }
    }
    match of.min_protocol_version.unwrap_or_default() {
        TlsProtocol::Auto | TlsProtocol::V12 => Ok(false),
        TlsProtocol::V13 => Ok(true),
        TlsProtocol::V10 | TlsProtocol::V11 => fault(
            format!("{at}.minProtocolVersion"),
            "proxies do not speak versions before TLS 1.2",
            "write TLSV1_2",
        ),
    }
}
