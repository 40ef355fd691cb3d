//! Envoy's v2 form, rewritten to v3 with one warning for each old word, which shows the new one.
//!
//! Only what v2 and v3 say differently is touched; all else is left to the table of fields.

use super::problem::Problem;
use super::tree::{Entry, Node, Value};
use std::net::IpAddr;

const TYPE: &str = "type.googleapis.com/";

/// Filters by their v2 name: their v3 name, and the type of their configuration in v3.
#[rustfmt::skip]
const FILTERS: [(&str, &str, &str); 6] = [
    ("envoy.http_connection_manager", "envoy.filters.network.http_connection_manager", "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    ("envoy.tcp_proxy",               "envoy.filters.network.tcp_proxy",               "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"),
    ("envoy.router",                  "envoy.filters.http.router",                     "envoy.extensions.filters.http.router.v3.Router"),
    ("envoy.cors",                    "envoy.filters.http.cors",                       "envoy.extensions.filters.http.cors.v3.Cors"),
    ("envoy.fault",                   "envoy.filters.http.fault",                      "envoy.extensions.filters.http.fault.v3.HTTPFault"),
    ("envoy.file_access_log",         "envoy.access_loggers.file",                     "envoy.extensions.access_loggers.file.v3.FileAccessLog"),
];

/// Types by their v2 name.
#[rustfmt::skip]
const TYPES: [(&str, &str); 9] = [
    ("envoy.config.filter.network.http_connection_manager.v2.HttpConnectionManager", "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    ("envoy.config.filter.network.tcp_proxy.v2.TcpProxy",  "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"),
    ("envoy.config.filter.network.rbac.v2.RBAC",           "envoy.extensions.filters.network.rbac.v3.RBAC"),
    ("envoy.config.filter.http.router.v2.Router",          "envoy.extensions.filters.http.router.v3.Router"),
    ("envoy.config.filter.http.fault.v2.HTTPFault",        "envoy.extensions.filters.http.fault.v3.HTTPFault"),
    ("envoy.config.filter.http.rbac.v2.RBAC",              "envoy.extensions.filters.http.rbac.v3.RBAC"),
    ("envoy.config.accesslog.v2.FileAccessLog",            "envoy.extensions.access_loggers.file.v3.FileAccessLog"),
    ("envoy.api.v2.auth.DownstreamTlsContext",             "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"),
    ("envoy.api.v2.auth.UpstreamTlsContext",               "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
];

/// Rewrites what is v2 below `root` and says what was rewritten.
pub(super) fn rewrite(root: &mut Node) -> Vec<Problem> {
    let mut said = Vec::new();
    walk(root, "", &mut said);
    said
}

fn walk(node: &mut Node, path: &str, said: &mut Vec<Problem>) {
    match &mut node.value {
        Value::Map(entries) => {
            message(entries, path, said);
            for entry in entries {
                let path = match path {
                    "" => entry.key.clone(),
                    path => format!("{path}.{}", entry.key),
                };
                walk(&mut entry.node, &path, said);
            }
        }
        Value::List(list) => {
            for (index, node) in list.iter_mut().enumerate() {
                walk(node, &format!("{path}[{index}]"), said);
            }
        }
        Value::Null | Value::Plain(_) | Value::Quoted(_) => {}
    }
}

fn message(entries: &mut Vec<Entry>, path: &str, said: &mut Vec<Problem>) {
    let place = path.rsplit('.').next().unwrap_or_default();
    let list = place.split('[').next().unwrap_or_default();
    match list {
        "filters" | "http_filters" | "access_log" => filter(entries, path, said),
        "clusters" if path.starts_with("static_resources.clusters[") => {
            policy(entries, path, said);
            hosts(entries, path, said);
        }
        _ => {}
    }
    kind(entries, path, said);
}

fn kind(entries: &mut [Entry], path: &str, said: &mut Vec<Problem>) {
    let Some(entry) = find(entries, "@type") else {
        return;
    };
    let name = entry.node.text().and_then(|url| url.strip_prefix(TYPE));
    let new = name.and_then(|name| TYPES.iter().find(|(old, _)| *old == name));
    if let Some((_, new)) = new {
        entry.node.value = Value::Quoted(format!("{TYPE}{new}"));
        say(
            said,
            (path, entry.line),
            "@type",
            &format!("\"@type\": {TYPE}{new}"),
        );
    }
}

/// A filter by its old name; its configuration may be missing, or stand in `config`.
fn filter(entries: &mut Vec<Entry>, path: &str, said: &mut Vec<Problem>) {
    let Some(name) = find(entries, "name") else {
        return;
    };
    let known = FILTERS
        .iter()
        .find(|(old, ..)| name.node.text() == Some(old));
    let Some((_, new, kind)) = known else {
        return;
    };
    let line = name.line;
    name.node.value = Value::Quoted((*new).to_owned());
    let mut shown = format!("name: {new}");
    if !entries.iter().any(|entry| entry.key == "typed_config") {
        shown.push_str(&format!(", typed_config: {{\"@type\": {TYPE}{kind}, …}}"));
        let own = entries.iter().position(|entry| entry.key == "config");
        let own = own.map(|at| entries.remove(at).node.value);
        let mut fields = match own {
            Some(Value::Map(fields)) => fields,
            _ => Vec::new(),
        };
        fields.push(text("@type", line, &format!("{TYPE}{kind}")));
        entries.push(Entry {
            key: "typed_config".to_owned(),
            line,
            node: Node {
                line,
                value: Value::Map(fields),
            },
        });
    }
    say(said, (path, line), "name", &shown);
}

/// `load_balancing_policy: {round_robin: {}}`, which no version of Envoy has had, but people write.
fn policy(entries: &mut [Entry], path: &str, said: &mut Vec<Problem>) {
    let Some(entry) = find(entries, "load_balancing_policy") else {
        return;
    };
    let Value::Map(policies) = &entry.node.value else {
        return;
    };
    let name = match policies.first().map(|policy| policy.key.as_str()) {
        Some("round_robin") => "ROUND_ROBIN",
        Some("least_request") => "LEAST_REQUEST",
        Some("ring_hash") => "RING_HASH",
        Some("random") => "RANDOM",
        Some("maglev") => "MAGLEV",
        Some(_) | None => return,
    };
    let line = entry.line;
    *entry = text("lb_policy", line, name);
    say(
        said,
        (path, line),
        "load_balancing_policy",
        &format!("lb_policy: {name}"),
    );
}

/// `hosts`, and a cluster of the type STATIC whose hosts are names.
fn hosts(entries: &mut [Entry], path: &str, said: &mut Vec<Problem>) {
    let named = find(entries, "name").and_then(|entry| entry.node.text().map(str::to_owned));
    let Some(entry) = find(entries, "hosts") else {
        return;
    };
    let line = entry.line;
    let Value::List(hosts) = &mut entry.node.value else {
        return;
    };
    let hosts = std::mem::take(hosts);
    let is_name = |host: &Node| {
        let address = host
            .get("socket_address")
            .and_then(|socket| socket.get("address"));
        let address = address.and_then(Node::text);
        address.is_some_and(|address| address.parse::<IpAddr>().is_err())
    };
    let names = hosts.iter().any(is_name);
    let name = named.unwrap_or_default();
    *entry = assignment(&name, hosts, line);
    let shown = format!(
        "load_assignment: {{cluster_name: {name}, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: …}}}}}}]}}]}}"
    );
    say(said, (path, line), "hosts", &shown);
    if names
        && let Some(kind) = find(entries, "type")
        && kind.node.text() == Some("STATIC")
    {
        let line = kind.line;
        *kind = text("type", line, "STRICT_DNS");
        say(
            said,
            (path, line),
            "type",
            "type: STRICT_DNS, because a host is a name",
        );
    }
}

fn assignment(cluster: &str, hosts: Vec<Node>, line: usize) -> Entry {
    let map = |entries| Node {
        line,
        value: Value::Map(entries),
    };
    let list = |nodes| Node {
        line,
        value: Value::List(nodes),
    };
    let entry = |key: &str, node| Entry {
        key: key.to_owned(),
        line,
        node,
    };
    let endpoint = |host| map(vec![entry("endpoint", map(vec![entry("address", host)]))]);
    let endpoints = hosts.into_iter().map(endpoint).collect();
    let locality = map(vec![entry("lb_endpoints", list(endpoints))]);
    let fields = vec![
        text("cluster_name", line, cluster),
        entry("endpoints", list(vec![locality])),
    ];
    entry("load_assignment", map(fields))
}

fn text(key: &str, line: usize, value: &str) -> Entry {
    Entry {
        key: key.to_owned(),
        line,
        node: Node {
            line,
            value: Value::Quoted(value.to_owned()),
        },
    }
}

fn find<'a>(entries: &'a mut [Entry], key: &str) -> Option<&'a mut Entry> {
    entries.iter_mut().find(|entry| entry.key == key)
}

fn say(said: &mut Vec<Problem>, (path, line): (&str, usize), field: &str, new: &str) {
    let path = format!("{path}.{field}");
    said.push(Problem::field(
        line,
        &path,
        format!("is an older form; write {new}"),
    ));
}
