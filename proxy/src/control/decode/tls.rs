//! TLS on both ends. The workload's own certificate and the mesh's roots are named, not sent.

use super::fault::each;
use super::value::{flag, inline, string_match, text, texts, type_name, unpack};
use super::{At, Fault, Outcome};
use crate::config::{Secret, StringMatch, TlsClient, TlsIdentity, TlsRoots, TlsServer};
use std::sync::Arc;
use weft_proto::pb::envoy::config::core::v3::{
    DataSource, TransportSocket, transport_socket::ConfigType,
};
use weft_proto::pb::envoy::extensions::transport_sockets::tls::v3 as pb;
use weft_proto::pb::google::protobuf::Any;

use pb::common_tls_context::ValidationContextType as Validation;
use pb::subject_alt_name_matcher::SanType;
use pb::tls_parameters::TlsProtocol;

/// The SDS names of what this proxy holds itself.
const WORKLOAD: &str = "default";
const MESH_ROOTS: &str = "ROOTCA";

/// TLS that a filter chain terminates; `None` is plaintext.
pub(super) fn downstream(socket: Option<&TransportSocket>) -> Outcome<Option<TlsServer>> {
    let Some(any) = configuration(socket, "DownstreamTlsContext")? else {
        return Ok(None);
    };
    let from: pb::DownstreamTlsContext = unpack(any)?;
    let common = from.common_tls_context.clone().unwrap_or_default();
    let trust = trust(&common)?;
    let identity = identity(&common)?;
    Ok(Some(TlsServer {
        // Mesh peers speak TLS 1.3; the world outside may not.
        tls12: trust.roots != Some(TlsRoots::Mesh) && older(&common)?,
        identity: identity.ok_or_else(|| Fault::new("no certificate"))?,
        require_client: flag(from.require_client_certificate.as_ref(), false),
        client_roots: trust.roots,
        client_sans: trust.sans,
        alpn: texts(&common.alpn_protocols),
    }))
}

/// TLS towards a cluster; `None` is plaintext. `names` are the cluster's `auto_sni` and `auto_san_validation`.
pub(super) fn upstream(
    socket: Option<&TransportSocket>,
    names: (bool, bool),
) -> Outcome<Option<Arc<TlsClient>>> {
    let Some(any) = configuration(socket, "UpstreamTlsContext")? else {
        return Ok(None);
    };
    let from: pb::UpstreamTlsContext = unpack(any)?;
    let common = from.common_tls_context.clone().unwrap_or_default();
    let trust = trust(&common)?;
    let identity = identity(&common)?;
    held(identity.as_ref(), trust.roots.as_ref())?;
    Ok(Some(Arc::new(TlsClient {
        identity,
        roots: trust.roots,
        sans: trust.sans,
        sni: text(&from.sni),
        auto_sni: names.0 || from.auto_host_sni,
        auto_san: names.1 || from.auto_sni_san_validation,
        tls12: older(&common)?,
        alpn: texts(&common.alpn_protocols),
    })))
}

/// Refuses secrets that would have to be fetched: clusters do not wait for them.
fn held(identity: Option<&TlsIdentity>, roots: Option<&TlsRoots>) -> Outcome<()> {
    match (identity, roots) {
        (Some(TlsIdentity::Secret(name)), _) | (_, Some(TlsRoots::Secret(name))) => Err(
            Fault::new(format!("the secret `{name}` cannot be fetched here")),
        ),
        (None | Some(TlsIdentity::Workload | TlsIdentity::Pem { .. }), _) => Ok(()),
    }
}

fn configuration<'a>(
    socket: Option<&'a TransportSocket>,
    context: &str,
) -> Outcome<Option<&'a Any>> {
    let Some(socket) = socket else {
        return Ok(None);
    };
    let Some(ConfigType::TypedConfig(any)) = &socket.config_type else {
        return match socket.name.as_str() {
            "envoy.transport_sockets.raw_buffer" => Ok(None),
            other => Err(Fault::new(format!("`{other}` has no configuration"))),
        };
    };
    match type_name(any).rsplit('.').next() {
        Some("RawBuffer") => Ok(None),
        Some(name) if name == context => Ok(Some(any)),
        _ => Err(Fault::new(format!(
            "the type {} is unknown here",
            any.type_url
        ))),
    }
}

/// Whether TLS 1.2 will do beside 1.3.
fn older(common: &pb::CommonTlsContext) -> Outcome<bool> {
    let Some(parameters) = &common.tls_params else {
        return Ok(true);
    };
    match parameters.tls_maximum_protocol_version() {
        TlsProtocol::TlsAuto | TlsProtocol::TlSv13 => {}
        TlsProtocol::TlSv10 | TlsProtocol::TlSv11 | TlsProtocol::TlSv12 => {
            return Err(Fault::new("this proxy always speaks TLS 1.3; say TLSv1_3"))
                .at("tls_maximum_protocol_version")
                .at("tls_params");
        }
    }
    match parameters.tls_minimum_protocol_version() {
        // Older versions are never spoken, whoever allows them.
        TlsProtocol::TlsAuto | TlsProtocol::TlSv10 | TlsProtocol::TlSv11 | TlsProtocol::TlSv12 => {
            Ok(true)
        }
        TlsProtocol::TlSv13 => Ok(false),
    }
}

fn identity(common: &pb::CommonTlsContext) -> Outcome<Option<TlsIdentity>> {
    if let Some(secret) = common.tls_certificate_sds_secret_configs.first() {
        return match secret.name.as_str() {
            WORKLOAD => Ok(Some(TlsIdentity::Workload)),
            other => Ok(Some(TlsIdentity::Secret(other.into()))),
        };
    }
    let certificate = match common.tls_certificates.as_slice() {
        [] => return Ok(None),
        [one] => one,
        _ => {
            return Err(Fault::new(
                "only one certificate can be used; remove the others",
            ))
            .at("tls_certificates");
        }
    };
    own(certificate).map(Some)
}

fn own(certificate: &pb::TlsCertificate) -> Outcome<TlsIdentity> {
    Ok(TlsIdentity::Pem {
        chain: pem("certificate_chain", certificate.certificate_chain.as_ref())?,
        key: pem("private_key", certificate.private_key.as_ref())?,
    })
}

/// A secret (SDS): a certificate, or roots.
///
/// # Errors
/// What of it cannot be used.
pub fn secret(any: &Any) -> Outcome<Secret> {
    use pb::secret::Type;
    let from: pb::Secret = unpack(any)?;
    let secret = match &from.r#type {
        Some(Type::TlsCertificate(from)) => Secret::Certificate(own(from).at("tls_certificate")?),
        Some(Type::ValidationContext(from)) => match context_trust(from)?.roots {
            Some(TlsRoots::Pem(roots)) => Secret::Roots(roots),
            Some(TlsRoots::Mesh | TlsRoots::Secret(_)) | None => {
                return Err(Fault::new("no trusted_ca")).at("validation_context");
            }
        },
        Some(Type::SessionTicketKeys(_) | Type::GenericSecret(_)) | None => {
            return Err(Fault::new("only certificates and roots are understood"));
        }
    };
    readable(&secret).map(|()| secret)
}

fn readable(secret: &Secret) -> Outcome<()> {
    let read = match secret {
        Secret::Certificate(TlsIdentity::Pem { chain, key }) => {
            weft_identity::Identity::parse(chain, key, chain).map(drop)
        }
        Secret::Certificate(TlsIdentity::Workload | TlsIdentity::Secret(_)) => Ok(()),
        Secret::Roots(roots) => weft_identity::cert::roots(roots).map(drop),
    };
    read.map_err(|error| Fault::new(error.to_string()))
}

fn pem(field: &str, source: Option<&DataSource>) -> Outcome<Arc<str>> {
    let source = source.ok_or_else(|| Fault::new("is missing")).at(field)?;
    String::from_utf8(inline(source).at(field)?)
        .map(Into::into)
        .map_err(|_| Fault::new("is not text"))
        .at(field)
}

/// Whom we trust, and by which names.
#[derive(Default)]
struct Trust {
    roots: Option<TlsRoots>,
    sans: Vec<StringMatch>,
}

fn trust(common: &pb::CommonTlsContext) -> Outcome<Trust> {
    match &common.validation_context_type {
        None => Ok(Trust::default()),
        Some(Validation::ValidationContext(context)) => context_trust(context),
        Some(Validation::ValidationContextSdsSecretConfig(secret)) => Ok(Trust {
            roots: Some(named(secret)),
            sans: Vec::new(),
        }),
        Some(Validation::CombinedValidationContext(both)) => {
            let context = both.default_validation_context.as_ref();
            let mut trust = context.map(context_trust).transpose()?.unwrap_or_default();
            if let Some(secret) = &both.validation_context_sds_secret_config {
                trust.roots = Some(named(secret));
            }
            Ok(trust)
        }
        Some(_) => Err(Fault::new("certificate providers are not supported")),
    }
    .at("validation_context")
}

fn named(secret: &pb::SdsSecretConfig) -> TlsRoots {
    match secret.name.as_str() {
        MESH_ROOTS => TlsRoots::Mesh,
        other => TlsRoots::Secret(other.into()),
    }
}

fn context_trust(from: &pb::CertificateValidationContext) -> Outcome<Trust> {
    let unsupported = !from.verify_certificate_spki.is_empty()
        || !from.verify_certificate_hash.is_empty()
        || from.crl.is_some()
        || from.custom_validator_config.is_some();
    if unsupported {
        return Err(Fault::new(
            "pins, revocation lists and custom validators are not supported",
        ));
    }
    let typed = &from.match_typed_subject_alt_names;
    let plain = &from.match_subject_alt_names;
    let mut sans = each("match_subject_alt_names", plain, string_match)?;
    for san in typed {
        match san.san_type() {
            SanType::Unspecified | SanType::Uri | SanType::Dns => {}
            SanType::Email | SanType::IpAddress | SanType::OtherName => {
                return Err(Fault::new(
                    "only names of the types URI and DNS can be matched",
                ))
                .at("match_typed_subject_alt_names");
            }
        }
        sans.extend(san.matcher.as_ref().map(string_match).transpose()?);
    }
    let roots = from.trusted_ca.as_ref();
    Ok(Trust {
        roots: roots
            .map(|source| pem("trusted_ca", Some(source)))
            .transpose()?
            .map(TlsRoots::Pem),
        sans,
    })
}
