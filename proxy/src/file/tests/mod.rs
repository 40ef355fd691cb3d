//! What a bootstrap file of Envoy becomes: files go in as their authors write them, out come
//! configurations, answers of a running proxy, or errors that name the place in the file.

mod endpoints;
mod errors;
mod older;
mod run;
mod values;

use super::load::{Loaded, parse};
use super::problem::Problem;

/// A bootstrap with one HTTP listener and one cluster; each `…` line of a test replaces a part of it.
const WHOLE: &str = r#"static_resources:
  listeners:
  - name: main
    address: {socket_address: {address: 127.0.0.1, port_value: 8080}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress_http
          route_config:
            name: local_route
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: "/"}
                route: {cluster: backend, timeout: 1.5s}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: backend
    type: STATIC
    connect_timeout: 0.25s
    load_assignment:
      cluster_name: backend
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 8081}}}
"#;

/// [`WHOLE`] with `from` replaced by `to`.
fn changed(from: &str, to: &str) -> String {
    assert!(WHOLE.contains(from), "{from}");
    WHOLE.replace(from, to)
}

fn loaded(text: &str) -> Loaded {
    parse(text).unwrap_or_else(|problems| panic!("{}", lines(&problems)))
}

fn refusal(text: &str) -> String {
    match parse(text) {
        Err(problems) => lines(&problems),
        Ok(_) => panic!("nothing was refused in {text}"),
    }
}

fn lines(problems: &[Problem]) -> String {
    let text = |problem: &Problem| problem.text("b.yaml".as_ref());
    problems.iter().map(text).collect::<Vec<_>>().join("\n")
}
