//! TLS that ends at a gateway.

use crate::tls::{Carries, secret, server};
use crate::value::{flag, transport_socket};
use tls::common_tls_context::{CombinedCertificateValidationContext, ValidationContextType};
use tls::tls_parameters::TlsProtocol;
use weft_model::View;
use weft_model::gateway::{Certificate, Clients, Termination};
use weft_proto::pb::envoy::config::core::v3::TransportSocket;
use weft_proto::pb::envoy::extensions::transport_sockets::tls::v3 as tls;
use weft_proto::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};

/// The SDS name of the certificate in Secret `name`.
pub(super) fn certificate_name(name: &str) -> String {
    format!("kubernetes://{name}")
}

/// The SDS name of the roots that go with Secret `name`.
pub(super) fn roots_name(name: &str) -> String {
    format!("kubernetes://{name}-cacert")
}

/// TLS with HTTP inside.
pub(super) fn http(view: &View, of: &Termination) -> TransportSocket {
    match &of.certificate {
        Certificate::Mesh => server(&view.mesh, Carries::Http),
        Certificate::Secret(name) => socket(of, name, &["h2", "http/1.1"]),
    }
}

/// TLS with bytes inside.
pub(super) fn bytes(view: &View, of: &Termination) -> TransportSocket {
    match &of.certificate {
        Certificate::Mesh => server(&view.mesh, Carries::Tcp),
        Certificate::Secret(name) => socket(of, name, &[]),
    }
}

fn socket(of: &Termination, name: &str, alpn: &[&str]) -> TransportSocket {
    let oldest = match of.newest_only {
        true => TlsProtocol::TlSv13,
        false => TlsProtocol::TlSv12,
    };
    let common = tls::CommonTlsContext {
        tls_params: Some(tls::TlsParameters {
            tls_minimum_protocol_version: oldest.into(),
            tls_maximum_protocol_version: TlsProtocol::TlSv13.into(),
            ..Default::default()
        }),
        tls_certificate_sds_secret_configs: vec![secret(&certificate_name(name))],
        validation_context_type: clients(of),
        alpn_protocols: alpn.iter().map(|name| (*name).to_owned()).collect(),
        ..Default::default()
    };
    let context = tls::DownstreamTlsContext {
        common_tls_context: Some(common),
        require_client_certificate: flag(matches!(of.clients, Clients::Verified(_))),
        ..Default::default()
    };
    transport_socket("envoy.transport_sockets.tls", &context)
}

fn clients(of: &Termination) -> Option<ValidationContextType> {
    let name = of.roots_secret()?;
    let named = |name: &String| tls::SubjectAltNameMatcher {
        san_type: match name.contains("://") {
            true => tls::subject_alt_name_matcher::SanType::Uri.into(),
            false => tls::subject_alt_name_matcher::SanType::Dns.into(),
        },
        matcher: Some(StringMatcher {
            match_pattern: Some(MatchPattern::Exact(name.clone())),
            ..Default::default()
        }),
        ..Default::default()
    };
    Some(ValidationContextType::CombinedValidationContext(
        CombinedCertificateValidationContext {
            default_validation_context: Some(tls::CertificateValidationContext {
                match_typed_subject_alt_names: of.names.iter().map(named).collect(),
                ..Default::default()
            }),
            validation_context_sds_secret_config: Some(secret(&roots_name(name))),
            ..Default::default()
        },
    ))
}
