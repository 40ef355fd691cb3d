//! The pages of the admin interface. Pure.

use crate::config::{Cluster, Config, Discovery, Locality};
use crate::state::State;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fmt::Write;
use std::sync::Arc;
use std::time::SystemTime;
use weft_proto::pb::envoy::config::core::v3::Node;

/// What there is.
pub(super) const HELP: &str = "\
GET  /ready              whether traffic may come
GET  /stats              counters; ?format=prometheus
GET  /stats/prometheus   the same for Prometheus
GET  /config_dump        the configuration in force
GET  /clusters           clusters and their endpoints
GET  /listeners          listeners and their addresses
GET  /certs              the certificate in use
GET  /server_info        version, state, node
POST /logging?level=L    change the log filter; GET shows it
POST /healthcheck/fail   let readiness fail; /healthcheck/ok ends that
POST /quitquitquit       drain and end
";

fn config(state: &State) -> Arc<Config> {
    state.config.borrow().clone().unwrap_or_default()
}

pub(super) fn stats(state: &State) -> String {
    let stats = state.metrics.stats();
    stats.iter().fold(String::new(), |mut page, (name, value)| {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "{name}: {value}");
        page
    })
}

pub(super) fn clusters(state: &State) -> String {
    let mut page = String::new();
    for (name, cluster) in &config(state).clusters {
        for locality in endpoints(cluster) {
            for endpoint in &locality.endpoints {
                let address = endpoint.address;
                let health = format!("{:?}", endpoint.health).to_lowercase();
                // Writing to a string cannot fail.
                let _ = writeln!(page, "{name}::{address}::health_flags::{health}");
                let _ = writeln!(page, "{name}::{address}::weight::{}", endpoint.weight);
                let _ = writeln!(page, "{name}::{address}::zone::{}", locality.name);
                let _ = writeln!(page, "{name}::{address}::priority::{}", locality.priority);
            }
        }
        let limits = cluster.limits;
        let _ = writeln!(
            page,
            "{name}::default_priority::max_connections::{}",
            limits.connections
        );
        let _ = writeln!(
            page,
            "{name}::default_priority::max_pending_requests::{}",
            limits.pending
        );
        let _ = writeln!(
            page,
            "{name}::default_priority::max_requests::{}",
            limits.requests
        );
        let _ = writeln!(
            page,
            "{name}::default_priority::max_retries::{}",
            limits.retries
        );
    }
    page
}

fn endpoints(cluster: &Cluster) -> &[Locality] {
    match &cluster.discovery {
        Discovery::Static(found) | Discovery::Eds(found) => found,
        Discovery::StrictDns(_) | Discovery::LogicalDns(_) | Discovery::OriginalDst => &[],
    }
}

pub(super) fn listeners(state: &State) -> String {
    let config = config(state);
    let bound = config.listeners.values().filter(|listener| listener.bind);
    bound.fold(String::new(), |mut page, listener| {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "{}::{}", listener.name, listener.address);
        page
    })
}

/// The configuration in force. The shape is Envoy's on the outside; the inside is what this proxy
/// has made of it, as text.
pub(super) fn config_dump(state: &State) -> Value {
    let config = config(state);
    let listeners = config.listeners.values().map(|listener| {
        json!({"name": listener.name, "active_state": {"listener": format!("{listener:#?}")}})
    });
    let clusters = config.clusters.values().map(
        |cluster| json!({"cluster": {"name": cluster.name, "text": format!("{:#?}", cluster)}}),
    );
    let routes = config
        .routes
        .values()
        .map(|table| json!({"route_config": {"name": table.name, "text": format!("{table:#?}")}}));
    json!({"configs": [
        {"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
         "dynamic_active_clusters": clusters.collect::<Vec<_>>()},
        {"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
         "dynamic_listeners": listeners.collect::<Vec<_>>()},
        {"@type": "type.googleapis.com/envoy.admin.v3.RoutesConfigDump",
         "dynamic_route_configs": routes.collect::<Vec<_>>()},
    ]})
}

pub(super) fn certs(state: &State) -> Value {
    let Some(identity) = state.secrets.current() else {
        return json!({"certificates": []});
    };
    let leaf = identity.leaf();
    let uri = leaf.id.as_ref().map(|id| id.as_str());
    let days = identity.remaining(SystemTime::now()).as_secs() / 86_400;
    let time = |time: SystemTime| Timestamp::try_from(time).map(|t| t.to_string()).ok();
    json!({"certificates": [{
        "ca_cert": [],
        "cert_chain": [{
            "serial_number": leaf.serial,
            "subject_alt_names": [{"uri": uri}],
            "valid_from": time(leaf.not_before),
            "expiration_time": time(leaf.not_after),
            "days_until_expiration": days.to_string(),
        }],
    }]})
}

pub(super) fn server_info(state: &State, node: &Node) -> Value {
    let ready = match (state.ready(), state.draining()) {
        (_, true) => "DRAINING",
        (Ok(()), false) => "LIVE",
        (Err(_), false) => "PRE_INITIALIZING",
    };
    let uptime = state.started.elapsed().as_secs();
    json!({
        "version": format!("weft/{}", env!("CARGO_PKG_VERSION")),
        "state": ready,
        "uptime_current_epoch": format!("{uptime}s"),
        "uptime_all_epochs": format!("{uptime}s"),
        "node": {"id": node.id, "cluster": node.cluster, "user_agent_name": node.user_agent_name},
        "open_connections": state.connections(),
    })
}
