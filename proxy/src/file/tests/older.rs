use super::{lines, loaded, refusal};
use crate::config::{Discovery, LoadBalancing};

/// A page of 2020, word for word but for its line breaks.
const OLD: &str = r#"static_resources:
  listeners:
  - name: main_listener
    address:
      socket_address: {address: 0.0.0.0, port_value: 8080}
    filter_chains:
    - filters:
      - name: envoy.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.config.filter.network.http_connection_manager.v2.HttpConnectionManager
          stat_prefix: ingress_http
          route_config:
            name: local_route
            virtual_hosts:
            - name: backend
              domains: ["*"]
              routes:
              - match: {prefix: "/api"}
                route: {cluster: backend_cluster}
          http_filters:
          - name: envoy.router
  clusters:
  - name: backend_cluster
    connect_timeout: 5s
    type: STATIC
    load_balancing_policy: {round_robin: {}}
    hosts:
    - socket_address: {address: backend-service, port_value: 8080}
"#;

#[test]
fn each_old_word_is_translated_with_a_warning_that_shows_the_new_one() {
    let read = loaded(OLD);
    let cluster = &read.config.clusters["backend_cluster"];
    assert!(
        matches!(&cluster.discovery, Discovery::StrictDns(names) if &*names.targets[0].name == "backend-service")
    );
    assert_eq!(cluster.lb, LoadBalancing::RoundRobin { slow_start: None });
    let expected = [
        "b.yaml:26: static_resources.clusters[0].load_balancing_policy: is an older form; write lb_policy: ROUND_ROBIN",
        "b.yaml:27: static_resources.clusters[0].hosts: is an older form; write load_assignment: {cluster_name: backend_cluster, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: …}}}]}]}",
        "b.yaml:25: static_resources.clusters[0].type: is an older form; write type: STRICT_DNS, because a host is a name",
        "b.yaml:8: static_resources.listeners[0].filter_chains[0].filters[0].name: is an older form; write name: envoy.filters.network.http_connection_manager",
        "b.yaml:10: static_resources.listeners[0].filter_chains[0].filters[0].typed_config.@type: is an older form; write \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "b.yaml:21: static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[0].name: is an older form; write name: envoy.filters.http.router, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router, …}",
    ];
    let said = lines(&read.warnings);
    for warning in expected {
        assert!(said.contains(warning), "{warning}\nis not in\n{said}");
    }
    assert_eq!(read.warnings.len(), expected.len(), "{said}");
}

#[test]
fn a_configuration_without_a_type_gets_the_one_of_its_filters_name() {
    let old = OLD.replace("        typed_config:\n", "        config:\n");
    let old = old.replace(
        "          \"@type\": type.googleapis.com/envoy.config.filter.network.http_connection_manager.v2.HttpConnectionManager\n",
        "",
    );
    assert_eq!(loaded(&old).config.listeners.len(), 1);
}

#[test]
fn a_static_cluster_with_a_name_in_the_new_form_is_refused() {
    let new = OLD.replace(
        "    hosts:\n    - socket_address: {address: backend-service, port_value: 8080}",
        "    load_assignment: {endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: backend-service, port_value: 8080}}}}]}]}",
    );
    let said = refusal(&new);
    assert!(said.starts_with("b.yaml:27: static_resources.clusters[0].load_assignment.endpoints[0].lb_endpoints[0].endpoint.address: "), "{said}");
    assert!(said.contains("STRICT_DNS"), "{said}");
}
