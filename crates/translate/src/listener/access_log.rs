//! Access logs, as the mesh's settings want them.

use weft_model::{AccessLogSettings, View};
use weft_proto::pack;
use weft_proto::pb::envoy::config::accesslog::v3 as accesslog;
use weft_proto::pb::envoy::config::core::v3::{
    DataSource, SubstitutionFormatString, data_source::Specifier,
    substitution_format_string::Format,
};
use weft_proto::pb::envoy::extensions::access_loggers::file::v3::{FileAccessLog, file_access_log};
use weft_proto::pb::google::protobuf::Struct;
use weft_proto::typed_struct::{object, string};

/// Istio's default line. Source: Istio `meshConfig.accessLogFormat`.
const TEXT: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" \
%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% \
\"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% \
%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \
\"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% \
%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% \
%REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

/// Istio's default keys. Source: Istio `meshConfig.accessLogEncoding`, `JSON`.
const JSON: [(&str, &str); 25] = [
    ("start_time", "%START_TIME%"),
    ("route_name", "%ROUTE_NAME%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"),
    ("protocol", "%PROTOCOL%"),
    ("response_code", "%RESPONSE_CODE%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
    (
        "connection_termination_details",
        "%CONNECTION_TERMINATION_DETAILS%",
    ),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("duration", "%DURATION%"),
    (
        "upstream_service_time",
        "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
    ),
    ("x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"),
    ("user_agent", "%REQ(USER-AGENT)%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("authority", "%REQ(:AUTHORITY)%"),
    ("upstream_host", "%UPSTREAM_HOST%"),
    ("upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"),
    ("upstream_local_address", "%UPSTREAM_LOCAL_ADDRESS%"),
    ("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("requested_server_name", "%REQUESTED_SERVER_NAME%"),
    (
        "upstream_transport_failure_reason",
        "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    ),
    ("downstream_peer_uri_san", "%DOWNSTREAM_PEER_URI_SAN%"),
];

/// The mesh's access log; none is the default.
pub(super) fn of(view: &View) -> Vec<accesslog::AccessLog> {
    view.mesh.access_log.iter().map(file).collect()
}

fn file(settings: &AccessLogSettings) -> accesslog::AccessLog {
    let format = match settings.encoding.as_str() {
        "JSON" => Format::JsonFormat(json(&settings.format)),
        _ => text(&settings.format),
    };
    let log_format = SubstitutionFormatString {
        format: Some(format),
        ..Default::default()
    };
    let config = FileAccessLog {
        path: settings.file.clone(),
        access_log_format: Some(file_access_log::AccessLogFormat::LogFormat(log_format)),
    };
    accesslog::AccessLog {
        name: "envoy.access_loggers.file".to_owned(),
        config_type: Some(accesslog::access_log::ConfigType::TypedConfig(pack(
            &config,
        ))),
        ..Default::default()
    }
}

fn text(format: &str) -> Format {
    let mut line = if format.is_empty() { TEXT } else { format }.to_owned();
    if !line.ends_with('\n') {
        line.push('\n');
    }
    Format::TextFormatSource(DataSource {
        specifier: Some(Specifier::InlineString(line)),
        ..Default::default()
    })
}

/// Keys of an object of templates; Istio's when the text is empty or no such object.
fn json(format: &str) -> Struct {
    let own: Option<std::collections::BTreeMap<String, String>> = serde_json::from_str(format).ok();
    match own {
        Some(own) => object(own.iter().map(|(key, value)| (key.as_str(), string(value)))),
        None => object(JSON.map(|(key, value)| (key, string(value)))),
    }
}
