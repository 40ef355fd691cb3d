use super::{WHOLE, changed, lines, loaded, refusal};

#[test]
fn what_is_wrong_is_named_with_line_field_and_remedy() {
    #[rustfmt::skip]
    let table = [
        // part                     instead of it               what the person reads
        ("connect_timeout: 0.25s",  "conect_timeout: 0.25s",    "b.yaml:25: static_resources.clusters[0].conect_timeout: unknown field; did you mean connect_timeout?"),
        ("connect_timeout: 0.25s",  "connect_timeout: 250ms",   "b.yaml:25: static_resources.clusters[0].connect_timeout: `250ms` is not a duration in seconds, such as 5s or 0.25s"),
        ("type: STATIC",            "type: STATICAL",           "b.yaml:24: static_resources.clusters[0].type: `STATICAL` is not one of EDS, LOGICAL_DNS, ORIGINAL_DST, STATIC, STRICT_DNS"),
        ("type: STATIC",            "colour: red",              "b.yaml:24: static_resources.clusters[0].colour: unknown field; remove it"),
        ("type: STATIC",            "type: STATIC\n    lb_subset_config: {}", "b.yaml:25: static_resources.clusters[0].lb_subset_config: is not supported by this proxy; remove it"),
        ("type: STATIC",            "type: STATIC\n    cluster_type: {}",     "b.yaml:25: static_resources.clusters[0].cluster_type: is not supported by this proxy; remove it"),
        ("type: STATIC",            "type: STATIC\n    type: EDS",            "b.yaml:25: `type` is there twice, first in line 24"),
        ("name: backend",           "name: 'other'",            "b.yaml:18: static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].routes[0].route.cluster: there is no cluster `backend`; add it or correct the name"),
        ("{cluster: backend, timeout: 1.5s}", "{cluster: backend, cluster_header: x}", "b.yaml:18: static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].routes[0].route.cluster_header: is not supported by this proxy; remove it"),
        ("{prefix: \"/\"}",         "{prefix: /, path: /x}",    "b.yaml:17: static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].routes[0].match.path: only one of `prefix` and `path` can be set"),
        ("port_value: 8080",        "port_value: 80800",        "b.yaml:4: static_resources.listeners[0].address: 80800 is not a port"),
        ("port_value: 8080",        "port_value: 8080, protocol: UDP", "b.yaml:4: static_resources.listeners[0].address: UDP is not supported"),
        ("port_value: 8080",        "port_value: many",         "b.yaml:4: static_resources.listeners[0].address.socket_address.port_value: `many` is not a whole number that fits here"),
        ("domains: [\"*\"]",        "domains: \"*\"",           "b.yaml:15: static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].domains: needs a list, such as [a, b]"),
        ("    filter_chains:",      "    filter_chains: [",     "b.yaml:6: "),
    ];
    for (part, instead, expected) in table {
        let said = refusal(&changed(part, instead));
        assert!(said.starts_with(expected), "{instead}:\n{said}");
    }
}

#[test]
fn a_filter_that_is_unknown_here_is_refused_by_its_type() {
    let unknown = changed("filters.http.router.v3.Router", "filters.http.lua.v3.Lua");
    let said = refusal(&unknown);
    assert!(said.starts_with("b.yaml:20: "), "{said}");
    assert!(
        said.contains("envoy.extensions.filters.http.lua.v3.Lua"),
        "{said}"
    );
}

#[test]
fn tls_that_cannot_be_used_is_refused() {
    const TYPE: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";
    #[rustfmt::skip]
    let table = [
        ("{}", "trust anybody; set trusted_ca"),
        ("{validation_context: {trusted_ca: {inline_string: no PEM}}}", "PEM"),
        ("{validation_context: {trusted_ca: {filename: /nowhere/root.pem}}}", "read /nowhere/root.pem"),
        ("{tls_params: {tls_maximum_protocol_version: TLSv1_2}}", "say TLSv1_3"),
        ("{tls_certificates: [{}, {}]}", "only one certificate"),
    ];
    for (context, expected) in table {
        let socket = format!(
            "type: STATIC\n    transport_socket: {{typed_config: {{\"@type\": {TYPE}.UpstreamTlsContext, common_tls_context: {context}}}}}"
        );
        let said = refusal(&changed("type: STATIC", &socket));
        assert!(
            said.starts_with("b.yaml:25: static_resources.clusters[0].transport_socket"),
            "{said}"
        );
        assert!(said.contains(expected), "{context}: {said}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let twice = changed("connect_timeout", "connect_time").replace("domains", "domain");
    let said = refusal(&twice);
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn what_has_no_effect_is_accepted_with_a_warning() {
    let text = changed("type: STATIC", "type: STATIC\n    dns_jitter: 1s");
    assert_eq!(
        lines(&loaded(&text).warnings),
        "b.yaml:25: static_resources.clusters[0].dns_jitter: has no effect in this proxy"
    );
}

#[test]
fn files_that_are_no_bootstrap_are_refused() {
    #[rustfmt::skip]
    let table = [
        ("",                   "b.yaml:"),
        ("- a\n- b",           "b.yaml:1: needs fields"),
        ("a: 1\n---\nb: 2",    "b.yaml:3: only one document"),
        ("a: &a [*a]",         "b.yaml:1: an alias inside its own anchor"),
        ("a: [",               "b.yaml:"),
    ];
    for (text, expected) in table {
        let said = refusal(text);
        assert!(said.starts_with(expected), "{text}: {said}");
    }
}

#[test]
fn a_bomb_of_aliases_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let below = level - 1;
        let ten = vec![format!("*a{below}"); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{ten}]\n"));
    }
    assert!(refusal(&text).contains("too large"));
}

#[test]
fn the_example_that_these_tests_change_is_good() {
    assert_eq!(loaded(WHOLE).warnings, []);
}
