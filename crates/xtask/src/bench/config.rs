//! Configuration of the origin and of the chains, in Envoy's own words: both peers read these files.

use super::scenario::Chain;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// What the connections between the two proxies of a pair carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carries {
    /// HTTP/1.1, from an HTTP/1.1 client.
    Http1,
    /// HTTP/2, from an HTTP/1.1 client to an HTTP/1.1 origin.
    Http2,
    /// The same, with what a mesh adds: policies, retries, access log, request id, Istio's metrics.
    Mesh,
    /// HTTP/2 from the client to the origin.
    Streams,
    /// Bytes.
    Bytes,
}

/// Where the origin listens: HTTP/1.1.
pub(super) const ORIGIN: u16 = 18080;
/// The same origin over HTTP/2 without TLS.
const ORIGIN_H2: u16 = 18081;

/// Where the `at`-th proxy of a chain listens.
pub(super) fn port(at: usize) -> u16 {
    18001 + at as u16
}

/// Writes one file for each proxy of the chain, client's side first.
pub(super) fn files(folder: &Path, chain: Chain) -> Result<Vec<PathBuf>> {
    let texts = match chain {
        Chain::Hop => vec![bootstrap(
            &http_listener(port(0), ""),
            &cluster(ORIGIN, "", ""),
        )],
        Chain::Pair(carries) => pair(folder, carries),
    };
    let write = |(at, text): (usize, &String)| {
        let file = folder.join(format!("proxy-{at}.yaml"));
        std::fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
        Ok(file)
    };
    texts.iter().enumerate().map(write).collect()
}

fn pair(folder: &Path, carries: Carries) -> Vec<String> {
    let (origin, between, last, alpn) = match carries {
        Carries::Bytes => (ORIGIN, "", "", "istio"),
        Carries::Http1 => (ORIGIN, "", "", "http/1.1"),
        Carries::Http2 | Carries::Mesh => (ORIGIN, HTTP2, "", "h2"),
        Carries::Streams => (ORIGIN_H2, HTTP2, HTTP2, "h2"),
    };
    let listener = match carries {
        Carries::Bytes => tcp_listener,
        Carries::Mesh => mesh_listener,
        Carries::Http1 | Carries::Http2 | Carries::Streams => http_listener,
    };
    let outbound = cluster(port(1), &client_tls(folder, alpn), between);
    let inbound = cluster(origin, "", last);
    vec![
        bootstrap(&listener(port(0), ""), &outbound),
        bootstrap(&listener(port(1), &server_tls(folder, alpn)), &inbound),
    ]
}

fn bootstrap(listener: &str, cluster: &str) -> String {
    format!("static_resources:\n  listeners:\n{listener}  clusters:\n{cluster}")
}

const HTTP: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const TCP: &str = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";

const HTTP2: &str = "    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
";

fn http_listener(port: u16, tls: &str) -> String {
    format!(
        "  - name: listener
    address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          \"@type\": {HTTP}
          stat_prefix: bench
          route_config:
            name: all
            virtual_hosts:
            - name: all
              domains: [\"*\"]
              routes:
              - match: {{prefix: \"/\"}}
                route: {{cluster: next, timeout: 0s}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{\"@type\": {ROUTER}}}
{tls}"
    )
}

/// The HTTP listener with five policies of which the last one fits, retries, a log line for each
/// request, and Istio's metrics, which stock Envoy passes over because they are marked optional.
fn mesh_listener(port: u16, tls: &str) -> String {
    let policy = |number: usize| {
        let path = if number == 5 { "/" } else { "/other" };
        format!(
            "                  policy-{number}: {{permissions: [{{url_path: {{path: {{prefix: \"{path}\"}}}}}}], principals: [{{any: true}}]}}\n"
        )
    };
    let policies: String = (1..=5).map(policy).collect();
    let filters = format!(
        "          access_log:
          - name: envoy.access_loggers.file
            typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: /dev/null}}
          http_filters:
          - name: istio.stats
            is_optional: true
            typed_config: {{\"@type\": type.googleapis.com/udpa.type.v1.TypedStruct, type_url: type.googleapis.com/stats.PluginConfig, value: {{}}}}
          - name: envoy.filters.http.rbac
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
              rules:
                policies:
{policies}"
    );
    let retries = "timeout: 0s, retry_policy: {retry_on: \"connect-failure,refused-stream,unavailable\", num_retries: 2}";
    http_listener(port, tls)
        .replace("          http_filters:\n", &filters)
        .replace("timeout: 0s", retries)
}

fn tcp_listener(port: u16, tls: &str) -> String {
    format!(
        "  - name: listener
    address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.tcp_proxy
        typed_config: {{\"@type\": {TCP}, stat_prefix: bench, cluster: next}}
{tls}"
    )
}

fn cluster(port: u16, tls: &str, options: &str) -> String {
    format!(
        "  - name: next
    type: STATIC
    connect_timeout: 5s
    load_assignment:
      cluster_name: next
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}}}
{options}{tls}"
    )
}

fn server_tls(folder: &Path, alpn: &str) -> String {
    let common = common_tls(folder, "server", "client", alpn);
    format!(
        "      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          \"@type\": {TLS}.DownstreamTlsContext
          require_client_certificate: true
          common_tls_context: {common}
"
    )
}

fn client_tls(folder: &Path, alpn: &str) -> String {
    let common = common_tls(folder, "client", "server", alpn);
    format!(
        "    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        \"@type\": {TLS}.UpstreamTlsContext
        common_tls_context: {common}
"
    )
}

fn common_tls(folder: &Path, own: &str, peer: &str, alpn: &str) -> String {
    let folder = folder.display();
    format!(
        "{{alpn_protocols: [{alpn}], tls_params: {{tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3}}, \
         tls_certificates: [{{certificate_chain: {{filename: {folder}/{own}.pem}}, private_key: {{filename: {folder}/{own}-key.pem}}}}], \
         validation_context: {{trusted_ca: {{filename: {folder}/root.pem}}, match_typed_subject_alt_names: \
         [{{san_type: URI, matcher: {{exact: \"spiffe://cluster.local/ns/bench/sa/{peer}\"}}}}]}}}}"
    )
}

/// nginx that answers 1 KiB and 1 MiB from memory-mapped files, without logs.
pub(super) fn origin(folder: &Path) -> String {
    let folder = folder.display();
    let small = "x".repeat(1024);
    format!(
        "daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log error;
events {{ worker_connections 10000; }}
http {{
  access_log off; keepalive_requests 1000000000; sendfile on; tcp_nopush on;
  server {{
    listen 127.0.0.1:{ORIGIN}; listen 127.0.0.1:{ORIGIN_H2} http2; root {folder};
    location = /1k {{ default_type text/plain; return 200 '{small}'; }}
    location = /1m {{ default_type text/plain; try_files /one-mib.bin =404; }}
  }}
}}
"
    )
}
