//! The configuration that both proxies run: one route table and one set of clusters behind
//! listeners that differ in the settings of their connection manager.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Listeners by name, and what their managers say besides what all say.
pub(crate) const LISTENERS: [(&str, &str); 17] = [
    ("main", ""),
    ("edge", "use_remote_address: true"),
    (
        "inside",
        "use_remote_address: true\ninternal_address_config: {cidr_ranges: [{address_prefix: 127.0.0.0, prefix_len: 8}]}",
    ),
    (
        "kept",
        "use_remote_address: true\npreserve_external_request_id: true",
    ),
    (
        "plain",
        "generate_request_id: false\nserver_header_transformation: PASS_THROUGH",
    ),
    (
        "named",
        "server_name: weft\nserver_header_transformation: OVERWRITE",
    ),
    ("absent", "server_header_transformation: APPEND_IF_ABSENT"),
    ("old", "http_protocol_options: {accept_http_10: true}"),
    ("normal", "normalize_path: true"),
    ("merge", "normalize_path: true\nmerge_slashes: true"),
    ("reject", "path_with_escaped_slashes_action: REJECT_REQUEST"),
    (
        "redirect",
        "normalize_path: true\npath_with_escaped_slashes_action: UNESCAPE_AND_REDIRECT",
    ),
    (
        "unescape",
        "normalize_path: true\nmerge_slashes: true\npath_with_escaped_slashes_action: UNESCAPE_AND_FORWARD",
    ),
    (
        "drop",
        "common_http_protocol_options: {headers_with_underscores_action: DROP_HEADER}",
    ),
    (
        "refuse",
        "common_http_protocol_options: {headers_with_underscores_action: REJECT_REQUEST}",
    ),
    (
        "small",
        "max_request_headers_kb: 2\ncommon_http_protocol_options: {max_headers_count: 12}",
    ),
    (
        "quick",
        "request_headers_timeout: 0.3s\nrequest_timeout: 0.5s\nstream_idle_timeout: 0.4s",
    ),
];

const MANAGER: &str = r#"      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          upgrade_configs: [{upgrade_type: websocket}]
          access_log:
          - name: envoy.access_loggers.file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: @log
              log_format: {text_format_source: {inline_string: "%REQ(X-CASE)%\t%RESPONSE_FLAGS%\t%RESPONSE_CODE%\t%RESPONSE_CODE_DETAILS%\t%REQ(:METHOD)%\t%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%\t%PROTOCOL%\t%UPSTREAM_CLUSTER%\t%BYTES_RECEIVED%\t%BYTES_SENT%\t%REQ(:AUTHORITY)%\n"}}
          http_filters:
          - {name: envoy.filters.http.cors, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors}}
          - {name: envoy.filters.http.rbac, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC}}
          - {name: envoy.filters.http.local_ratelimit, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit, stat_prefix: none}}
          - {name: envoy.filters.http.fault, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault}}
          - {name: envoy.filters.http.router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
"#;

/// What the fields of a line of the access log are, after the case.
pub(crate) const LOGGED: [&str; 10] = [
    "flags",
    "code",
    "details",
    "method",
    "path",
    "protocol",
    "cluster",
    "received",
    "sent",
    "authority",
];

/// The bootstrap of one proxy; `servers` are the ports of the recording servers.
pub(crate) fn render(
    listeners: &BTreeMap<&str, u16>,
    servers: &BTreeMap<String, u16>,
    log: &Path,
) -> String {
    let routes = indented(include_str!("routes.yaml"), 12);
    let mut text = "static_resources:\n  listeners:\n".to_owned();
    for (name, settings) in LISTENERS {
        let port = listeners[name];
        write!(
            text,
            "  - name: {name}\n    address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}\n    filter_chains:\n    - filters:\n{}{}          route_config:\n{routes}",
            MANAGER.replace("@log", &log.display().to_string()),
            indented(settings, 10),
        )
        .unwrap();
    }
    let mut clusters = indented(include_str!("clusters.yaml"), 2);
    // The longest name first: one may begin like another.
    for (name, port) in servers.iter().rev() {
        clusters = clusters.replace(&format!("@{name}"), &port.to_string());
    }
    text + "  clusters:\n" + &clusters
}

fn indented(text: &str, by: usize) -> String {
    let comment = |line: &&str| !line.starts_with('#') && !line.is_empty();
    let lines = text.lines().filter(comment);
    lines.map(|line| format!("{:by$}{line}\n", "")).collect()
}
