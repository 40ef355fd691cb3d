//! SDS: certificates and roots of clients.

use super::tls::{certificate_name, roots_name};
use weft_model::gateway::Edge;
use weft_proto::pb::envoy::config::core::v3::{DataSource, data_source::Specifier};
use weft_proto::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, Secret, TlsCertificate, secret::Type,
};

/// Everything that the Gateways of `edge` name and that can be used.
pub(super) fn all(edge: &Edge) -> impl Iterator<Item = Secret> {
    let certificates = edge.certificates.iter().map(|(name, secret)| Secret {
        name: certificate_name(name),
        r#type: Some(Type::TlsCertificate(TlsCertificate {
            certificate_chain: text(&secret.certificate),
            private_key: text(secret.private_key.pem()),
            ..Default::default()
        })),
    });
    let roots = edge.roots.iter().map(|(name, secret)| Secret {
        name: roots_name(name),
        r#type: Some(Type::ValidationContext(CertificateValidationContext {
            trusted_ca: text(&secret.roots),
            ..Default::default()
        })),
    });
    certificates.chain(roots)
}

fn text(pem: &str) -> Option<DataSource> {
    Some(DataSource {
        specifier: Some(Specifier::InlineBytes(pem.as_bytes().to_vec())),
        ..Default::default()
    })
}
