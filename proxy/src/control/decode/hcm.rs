//! The HTTP connection manager.

use super::fault::{each, unsupported};
use super::value::{duration, flag, limit, number, range, text, unpack};
use super::{At, Fault, Outcome, filter, log, route};
use crate::config::{Codec, EscapedSlashes, ForwardClientCert, Hcm, Routes, Tracing, Underscores};
use ipnet::IpNet;
use std::sync::Arc;
use std::time::Duration;
use weft_proto::pb::envoy::config::core::v3::{
    Http2ProtocolOptions, http_protocol_options::HeadersWithUnderscoresAction,
};
use weft_proto::pb::envoy::extensions::filters::network::http_connection_manager::v3 as pb;
use weft_proto::pb::envoy::r#type::v3::Percent;
use weft_proto::pb::google::protobuf::Any;

use pb::http_connection_manager as inner;

/// Envoy's default of `stream_idle_timeout`.
const STREAM_IDLE: Duration = Duration::from_secs(300);
/// Envoy's default of the connection's `idle_timeout`.
const IDLE: Duration = Duration::from_secs(3600);
/// Streams of one HTTP/2 connection where nothing is said; Envoy's own default is no limit.
const STREAMS: u32 = 100;

pub(super) fn manager(any: &Any) -> Outcome<Arc<Hcm>> {
    let from: pb::HttpConnectionManager = unpack(any)?;
    refuse(&from)?;
    let common = from.common_http_protocol_options.unwrap_or_default();
    let idle = duration("idle_timeout", common.idle_timeout.as_ref())?.unwrap_or(IDLE);
    let stream_idle = duration("stream_idle_timeout", from.stream_idle_timeout.as_ref())?;
    let http1 = from.http_protocol_options.as_ref();
    let http2 = from.http2_protocol_options.as_ref();
    let (server_name, keep_server) = server_name(&from);
    Ok(Arc::new(Hcm {
        stat_prefix: from.stat_prefix.as_str().into(),
        codec: codec(&from)?,
        routes: routes(&from)?,
        filters: filter::all(&from.http_filters)?,
        access_log: log::all(&from.access_log)?,
        server_name,
        keep_server,
        use_remote_address: flag(from.use_remote_address.as_ref(), false),
        internal: internal(&from)?,
        forward_client_cert: client_cert(&from),
        generate_request_id: flag(from.generate_request_id.as_ref(), true),
        preserve_external_request_id: from.preserve_external_request_id,
        merge_slashes: from.merge_slashes,
        normalize_path: flag(from.normalize_path.as_ref(), false),
        escaped_slashes: escaped(&from),
        underscores: underscores(common.headers_with_underscores_action()),
        accept_http_10: http1.is_some_and(|options| options.accept_http_10),
        request_headers_timeout: limit(
            "request_headers_timeout",
            from.request_headers_timeout.as_ref(),
        )?,
        stream_idle_timeout: Some(stream_idle.unwrap_or(STREAM_IDLE)).filter(|t| !t.is_zero()),
        idle_timeout: Some(idle).filter(|t| !t.is_zero()),
        request_timeout: limit("request_timeout", from.request_timeout.as_ref())?,
        max_connection_duration: limit(
            "max_connection_duration",
            common.max_connection_duration.as_ref(),
        )?,
        max_headers_bytes: number(from.max_request_headers_kb.as_ref(), 60) as usize * 1024,
        max_headers: number(common.max_headers_count.as_ref(), 100) as usize,
        max_concurrent_streams: http2.map_or(STREAMS, streams),
        upgrades: upgrades(&from),
        tracing: from.tracing.as_ref().map(tracing),
    }))
}

/// Fields that would change what is done with a request, and that we do not obey. What only tunes
/// buffers, tracing and logs is passed over.
fn refuse(from: &pb::HttpConnectionManager) -> Outcome<()> {
    let common = from.common_http_protocol_options.unwrap_or_default();
    let http1 = from.http_protocol_options.clone().unwrap_or_default();
    let http2 = from.http2_protocol_options.clone().unwrap_or_default();
    let filtered = |upgrade: &inner::UpgradeConfig| !upgrade.filters.is_empty();
    unsupported(&[
        (
            "common_http_protocol_options.max_stream_duration",
            common.max_stream_duration.is_some(),
        ),
        (
            "common_http_protocol_options.max_requests_per_connection",
            common.max_requests_per_connection.is_some(),
        ),
        (
            "http_protocol_options.default_host_for_http_10",
            !http1.default_host_for_http_10.is_empty(),
        ),
        (
            "http_protocol_options.header_key_format",
            http1.header_key_format.is_some(),
        ),
        (
            "http_protocol_options.allow_chunked_length",
            http1.allow_chunked_length,
        ),
        ("http2_protocol_options.allow_connect", http2.allow_connect),
        (
            "http2_protocol_options.allow_metadata",
            http2.allow_metadata,
        ),
        (
            "http2_protocol_options.connection_keepalive",
            http2.connection_keepalive.is_some(),
        ),
        (
            "upgrade_configs.filters",
            from.upgrade_configs.iter().any(filtered),
        ),
    ])?;
    refuse_rules(from)
}

fn refuse_rules(from: &pb::HttpConnectionManager) -> Outcome<()> {
    unsupported(&[
        ("add_user_agent", flag(from.add_user_agent.as_ref(), false)),
        ("xff_num_trusted_hops", from.xff_num_trusted_hops != 0),
        (
            "original_ip_detection_extensions",
            !from.original_ip_detection_extensions.is_empty(),
        ),
        (
            "early_header_mutation_extensions",
            !from.early_header_mutation_extensions.is_empty(),
        ),
        ("skip_xff_append", from.skip_xff_append),
        ("via", !from.via.is_empty()),
        (
            "always_set_request_id_in_response",
            from.always_set_request_id_in_response,
        ),
        (
            "scheme_header_transformation",
            from.scheme_header_transformation.is_some(),
        ),
        (
            "forward_client_cert_matcher",
            from.forward_client_cert_matcher.is_some(),
        ),
        (
            "represent_ipv4_remote_address_as_ipv4_mapped_ipv6",
            from.represent_ipv4_remote_address_as_ipv4_mapped_ipv6,
        ),
        ("local_reply_config", from.local_reply_config.is_some()),
        ("strip_matching_host_port", from.strip_matching_host_port),
        ("strip_port_mode", from.strip_port_mode.is_some()),
        ("strip_trailing_host_dot", from.strip_trailing_host_dot),
        (
            "path_normalization_options",
            from.path_normalization_options.is_some(),
        ),
        ("append_x_forwarded_port", from.append_x_forwarded_port),
        ("forward_proto_config", from.forward_proto_config.is_some()),
    ])
}

fn codec(from: &pb::HttpConnectionManager) -> Outcome<Codec> {
    match from.codec_type() {
        inner::CodecType::Auto => Ok(Codec::Auto),
        inner::CodecType::Http1 => Ok(Codec::Http1),
        inner::CodecType::Http2 => Ok(Codec::Http2),
        inner::CodecType::Http3 => Err(Fault::new("HTTP/3 is not supported")).at("codec_type"),
    }
}

fn routes(from: &pb::HttpConnectionManager) -> Outcome<Routes> {
    match &from.route_specifier {
        Some(inner::RouteSpecifier::Rds(rds)) => {
            Ok(Routes::Named(rds.route_config_name.as_str().into()))
        }
        Some(inner::RouteSpecifier::RouteConfig(table)) => {
            let table = route::decode(table).at("route_config")?;
            Ok(Routes::Inline(Arc::new(table)))
        }
        Some(inner::RouteSpecifier::ScopedRoutes(_)) => {
            Err(Fault::new("scoped routes are not supported"))
        }
        None => Err(Fault::new("neither rds nor route_config")),
    }
}

fn internal(from: &pb::HttpConnectionManager) -> Outcome<Vec<IpNet>> {
    let config = from.internal_address_config.as_ref();
    let ranges = config.map_or(&[][..], |config| &config.cidr_ranges);
    each("internal_address_config.cidr_ranges", ranges, range)
}

/// The name, and whether an upstream's own goes before it.
fn server_name(from: &pb::HttpConnectionManager) -> (Option<Arc<str>>, bool) {
    let name = || text(&from.server_name).unwrap_or_else(|| "envoy".into());
    match from.server_header_transformation() {
        inner::ServerHeaderTransformation::Overwrite => (Some(name()), false),
        inner::ServerHeaderTransformation::AppendIfAbsent => (Some(name()), true),
        inner::ServerHeaderTransformation::PassThrough => (None, false),
    }
}

fn client_cert(from: &pb::HttpConnectionManager) -> ForwardClientCert {
    match from.forward_client_cert_details() {
        inner::ForwardClientCertDetails::Sanitize => ForwardClientCert::Sanitize,
        inner::ForwardClientCertDetails::ForwardOnly => ForwardClientCert::ForwardOnly,
        inner::ForwardClientCertDetails::AppendForward => ForwardClientCert::AppendForward,
        inner::ForwardClientCertDetails::SanitizeSet => ForwardClientCert::SanitizeSet,
        inner::ForwardClientCertDetails::AlwaysForwardOnly => ForwardClientCert::AlwaysForwardOnly,
    }
}

fn underscores(action: HeadersWithUnderscoresAction) -> Underscores {
    match action {
        HeadersWithUnderscoresAction::Allow => Underscores::Allow,
        HeadersWithUnderscoresAction::RejectRequest => Underscores::Reject,
        HeadersWithUnderscoresAction::DropHeader => Underscores::Drop,
    }
}

fn escaped(from: &pb::HttpConnectionManager) -> EscapedSlashes {
    use inner::PathWithEscapedSlashesAction as Is;
    match from.path_with_escaped_slashes_action() {
        Is::ImplementationSpecificDefault | Is::KeepUnchanged => EscapedSlashes::Keep,
        Is::RejectRequest => EscapedSlashes::Reject,
        Is::UnescapeAndRedirect => EscapedSlashes::Redirect,
        Is::UnescapeAndForward => EscapedSlashes::Forward,
    }
}

fn streams(options: &Http2ProtocolOptions) -> u32 {
    number(options.max_concurrent_streams.as_ref(), STREAMS)
}

fn upgrades(from: &pb::HttpConnectionManager) -> Vec<Arc<str>> {
    let enabled = |upgrade: &&inner::UpgradeConfig| flag(upgrade.enabled.as_ref(), true);
    from.upgrade_configs
        .iter()
        .filter(enabled)
        .map(|upgrade| upgrade.upgrade_type.to_ascii_lowercase().into())
        .collect()
}

fn tracing(from: &inner::Tracing) -> Arc<Tracing> {
    // Sending spans is not built yet; the share decides the sampling flag of `traceparent`.
    let share = |percent: &Percent| (percent.value.clamp(0.0, 100.0) * 10_000.0) as u32;
    Arc::new(Tracing {
        random_per_million: from.random_sampling.as_ref().map_or(1_000_000, share),
        collector: None,
        service_name: "".into(),
    })
}
