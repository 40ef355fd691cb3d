//! What a proxy at the edge is told: listeners and routes of its Gateways, and their certificates.
//!
//! Names and forms are Istio's. Source: `pilot/pkg/networking/core/gateway.go`.

mod chains;
mod ports;
mod routes;
mod secrets;
mod tls;

use crate::listener::edge;
use crate::resources::Resources;
use ports::{Bound, Family, Port};
use weft_model::gateway::{Edge, Speaks};
use weft_model::{Problem, View};
use weft_proto::type_url::{LISTENER, ROUTE, SECRET};

/// Adds listeners, route tables and secrets of `edge`.
pub(crate) fn add(view: &View, edge: &Edge, resources: &mut Resources) -> Vec<Problem> {
    let (ports, mut problems) = ports::all(edge);
    for port in &ports {
        let (chains, found) = chains::all(view, edge, port);
        problems.extend(found);
        if !chains.is_empty() {
            let listener = self::edge(view, port.address, chains, port.family == Family::Tls);
            resources.add(LISTENER, &listener.name, &listener);
        }
        for table in routes::tables(view, port) {
            resources.add(ROUTE, &table.name, &table);
        }
    }
    for secret in secrets::all(edge) {
        resources.add(SECRET, &secret.name, &secret);
    }
    problems
}

/// The route table of a server that speaks HTTP.
fn table_of(bound: &Bound<'_>, port: &Port<'_>) -> Option<String> {
    let bind = bound.server.bind;
    let bind = bind.map(|bind| format!(".{bind}")).unwrap_or_default();
    match &bound.server.speaks {
        Speaks::Http { .. } => Some(format!("http.{}{bind}", port.address.1)),
        Speaks::Https(_) => {
            let (server, key) = (bound.server, &bound.gateway.key);
            let (number, name) = (server.number, &server.name);
            Some(format!(
                "https.{number}.{name}.{}.{}{bind}",
                key.name, key.namespace
            ))
        }
        Speaks::Tcp | Speaks::Tls(_) | Speaks::Passthrough => None,
    }
}
