//! TLS on both ends of a mesh connection.

use crate::istio;
use crate::value::{ads, flag, transport_socket};
use weft_model::Mesh;
use weft_proto::pb::envoy::config::core::v3::TransportSocket;
use weft_proto::pb::envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;
use weft_proto::pb::envoy::extensions::transport_sockets::tls::v3 as tls;
use weft_proto::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};

/// No TLS.
pub(crate) fn plaintext() -> TransportSocket {
    transport_socket("envoy.transport_sockets.raw_buffer", &RawBuffer {})
}

/// The client's end of mutual TLS: the peer must show one of the names `accepted`.
pub(crate) fn client(accepted: Vec<String>, sni: String, alpn: Vec<String>) -> TransportSocket {
    let accepted = accepted.into_iter().map(MatchPattern::Exact);
    let context = tls::UpstreamTlsContext {
        common_tls_context: Some(common(accepted, alpn)),
        sni,
        ..Default::default()
    };
    transport_socket("envoy.transport_sockets.tls", &context)
}

/// What a mesh server carries over its TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Carries {
    Http,
    Tcp,
}

/// The server's end of mutual TLS: the peer must be of a trust domain of the mesh.
///
/// `istio` comes last: a client that offers nothing else carries bytes, and one that offers HTTP
/// too must learn which.
pub(crate) fn server(mesh: &Mesh, carries: Carries) -> TransportSocket {
    let alpn: &[&str] = match carries {
        Carries::Http => &["h2", "http/1.1", istio::MESH],
        Carries::Tcp => &[istio::MESH],
    };
    let alpn = alpn.iter().copied();
    let domains = mesh.trust_domains.iter();
    let trusted = domains.map(|domain| MatchPattern::Prefix(format!("spiffe://{domain}/")));
    let context = tls::DownstreamTlsContext {
        common_tls_context: Some(common(trusted, alpn.map(str::to_owned).collect())),
        require_client_certificate: flag(true),
        // A resumed session would skip the check of the peer's certificate.
        disable_stateful_session_resumption: true,
        session_ticket_keys_type: Some(
            tls::downstream_tls_context::SessionTicketKeysType::DisableStatelessSessionResumption(
                true,
            ),
        ),
        ..Default::default()
    };
    transport_socket("envoy.transport_sockets.tls", &context)
}

/// Our certificate, the mesh's roots, TLS 1.2 and 1.3, and whom we accept.
fn common(
    accepted: impl Iterator<Item = MatchPattern>,
    alpn_protocols: Vec<String>,
) -> tls::CommonTlsContext {
    let validation = tls::CertificateValidationContext {
        match_typed_subject_alt_names: accepted.map(name).collect(),
        ..Default::default()
    };
    let combined = tls::common_tls_context::CombinedCertificateValidationContext {
        default_validation_context: Some(validation),
        validation_context_sds_secret_config: Some(secret("ROOTCA")),
        ..Default::default()
    };
    tls::CommonTlsContext {
        tls_params: Some(tls::TlsParameters {
            tls_minimum_protocol_version: tls::tls_parameters::TlsProtocol::TlSv12.into(),
            tls_maximum_protocol_version: tls::tls_parameters::TlsProtocol::TlSv13.into(),
            ..Default::default()
        }),
        tls_certificate_sds_secret_configs: vec![secret("default")],
        validation_context_type: Some(
            tls::common_tls_context::ValidationContextType::CombinedValidationContext(combined),
        ),
        alpn_protocols,
        ..Default::default()
    }
}

/// A name of a certificate: an identity of the mesh is a URI, what else a user writes has DNS.
fn name(pattern: MatchPattern) -> tls::SubjectAltNameMatcher {
    use tls::subject_alt_name_matcher::SanType;
    let san_type = match &pattern {
        MatchPattern::Exact(text) if !text.contains("://") => SanType::Dns,
        _ => SanType::Uri, // Envoy's enum: our prefixes are URIs
    };
    tls::SubjectAltNameMatcher {
        san_type: san_type.into(),
        matcher: Some(StringMatcher {
            match_pattern: Some(pattern),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The secret `name`, from this stream.
pub(crate) fn secret(name: &str) -> tls::SdsSecretConfig {
    tls::SdsSecretConfig {
        name: name.to_owned(),
        sds_config: ads(),
    }
}

/// ALPN by which a server knows mesh connections from an application's own TLS.
pub(crate) fn mesh_alpn() -> Vec<String> {
    let tcp = [istio::MESH, istio::PEER_EXCHANGE];
    let all = tcp.into_iter().chain(istio::MESH_HTTP);
    all.map(str::to_owned).collect()
}
