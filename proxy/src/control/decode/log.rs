//! Access logs. Telemetry fails open: a logger that is unknown here is passed over.

use super::Outcome;
use super::value::{text, unpack};
use crate::config::{AccessLog, LogFormat};
use std::collections::BTreeMap;
use std::sync::Arc;
use weft_proto::pb::envoy::config::accesslog::v3 as pb;
use weft_proto::pb::envoy::config::core::v3::{
    SubstitutionFormatString, substitution_format_string::Format,
};
use weft_proto::pb::envoy::extensions::access_loggers::file::v3 as file;
use weft_proto::pb::envoy::extensions::access_loggers::stream::v3 as stream;
use weft_proto::pb::google::protobuf::value::Kind;
use weft_proto::pb::google::protobuf::{Any, Struct};

/// Envoy's default format.
const DEFAULT: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";

pub(super) fn all(list: &[pb::AccessLog]) -> Outcome<Vec<AccessLog>> {
    let mut logs = Vec::new();
    for log in list {
        let Some(pb::access_log::ConfigType::TypedConfig(any)) = &log.config_type else {
            continue;
        };
        if let Some((path, format)) = target(any)? {
            let only_flag = log.filter.as_ref().and_then(flag);
            logs.push(AccessLog {
                path,
                format,
                only_flag,
            });
        }
    }
    Ok(logs)
}

fn target(any: &Any) -> Outcome<Option<(Arc<str>, LogFormat)>> {
    match super::value::type_name(any).as_str() {
        "envoy.extensions.access_loggers.file.v3.FileAccessLog" => {
            let from: file::FileAccessLog = unpack(any)?;
            let format = file_format(from.access_log_format.as_ref());
            Ok(Some((from.path.as_str().into(), format)))
        }
        "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog" => {
            let from: stream::StdoutAccessLog = unpack(any)?;
            let format = match &from.access_log_format {
                Some(stream::stdout_access_log::AccessLogFormat::LogFormat(format)) => {
                    substitution(format)
                }
                None => default(),
            };
            Ok(Some(("/dev/stdout".into(), format)))
        }
        other => {
            tracing::warn!(
                logger = other,
                "an access logger is unknown here and is left out"
            );
            Ok(None)
        }
    }
}

fn file_format(from: Option<&file::file_access_log::AccessLogFormat>) -> LogFormat {
    use file::file_access_log::AccessLogFormat as Is;
    match from {
        None => default(),
        Some(Is::Format(text)) => LogFormat::Text(text.as_str().into()),
        Some(Is::JsonFormat(json) | Is::TypedJsonFormat(json)) => LogFormat::Json(fields(json)),
        Some(Is::LogFormat(format)) => substitution(format),
    }
}

fn substitution(from: &SubstitutionFormatString) -> LogFormat {
    match &from.format {
        Some(Format::TextFormat(format)) if !format.is_empty() => {
            LogFormat::Text(format.as_str().into())
        }
        Some(Format::JsonFormat(json)) => LogFormat::Json(fields(json)),
        Some(Format::TextFormatSource(source)) => super::value::inline(source)
            .ok()
            .and_then(|bytes| text(&String::from_utf8_lossy(&bytes)))
            .map_or_else(default, LogFormat::Text),
        Some(Format::TextFormat(_)) | None => default(),
    }
}

fn default() -> LogFormat {
    LogFormat::Text(DEFAULT.into())
}

/// The templates of a JSON line, keys in order; protobuf maps have none of their own.
fn fields(from: &Struct) -> Arc<[(Arc<str>, Arc<str>)]> {
    let sorted: BTreeMap<_, _> = from.fields.iter().collect();
    sorted
        .into_iter()
        .filter_map(|(key, value)| match &value.kind {
            Some(Kind::StringValue(template)) => {
                Some((key.as_str().into(), template.as_str().into()))
            }
            _ => None,
        })
        .collect()
}

fn flag(filter: &pb::AccessLogFilter) -> Option<Arc<str>> {
    match &filter.filter_specifier {
        Some(pb::access_log_filter::FilterSpecifier::ResponseFlagFilter(flags)) => {
            flags.flags.first().map(|flag| flag.as_str().into())
        }
        _ => None,
    }
}
