//! What one proxy is told: xDS, in Istio's names and forms, from its view of the mesh.
//!
//! Flows in: a [`View`]. Flows out: [`Resources`] and a [`Problem`] for what could not be said.
//! Pure: equal views give equal bytes. Must never do I/O.

mod names;
mod value;

mod authorization;
mod istio;
mod tls;

mod cluster;
mod dns;
mod endpoints;
mod gateway;
mod listener;
mod route;

mod resources;

pub use resources::Resources;

use cluster::Reached;
use std::collections::BTreeMap;
use std::sync::Arc;
use weft_model::protocol::Handling;
use weft_model::service::{Port, Service};
use weft_model::{Problem, View};
use weft_proto::type_url::{CLUSTER, ENDPOINTS, LISTENER, NAMES, ROUTE};

/// Everything that a proxy with this view is told.
pub fn resources(view: &View) -> (Resources, Vec<Problem>) {
    let mut resources = Resources::default();
    clusters(view, &mut resources);
    let problems = match &view.edge {
        Some(edge) => gateway::add(view, edge, &mut resources),
        None => {
            listeners(view, &mut resources);
            routes(view, &mut resources);
            Vec::new()
        }
    };
    if view.captures_dns {
        resources.add(NAMES, dns::NAME, &dns::table(view));
    }
    (resources, problems)
}

fn clusters(view: &View, resources: &mut Resources) {
    for (service, port) in ports(&view.destinations) {
        let rule = view.traffic.get(&service.host);
        let subsets = rule.into_iter().flat_map(|rule| &rule.subsets).map(Some);
        for subset in std::iter::once(None).chain(subsets) {
            let reached = Reached {
                service,
                port,
                subset,
            };
            let cluster = cluster::outbound(view, reached);
            resources.add(CLUSTER, &cluster.name, &cluster);
            if reached.has_endpoints(view) {
                let assignment = endpoints::assignment(view, reached);
                resources.add(ENDPOINTS, &cluster.name, &assignment);
            }
        }
    }
    let inbound = view.inbound.ports.iter();
    let inbound = inbound.map(|port| cluster::inbound(port, view.families));
    for cluster in inbound.chain(cluster::fixed(view)) {
        resources.add(CLUSTER, &cluster.name, &cluster);
    }
}

fn listeners(view: &View, resources: &mut Resources) {
    let main = [listener::virtual_outbound(view), listener::inbound(view)];
    for listener in main.iter().chain(listener::outbound(view).values()) {
        resources.add(LISTENER, &listener.name, listener);
    }
}

fn routes(view: &View, resources: &mut Resources) {
    let mut by_number: BTreeMap<u16, Vec<(&Service, &Port)>> = BTreeMap::new();
    for (service, port) in ports(&view.services) {
        if route::is_http(view, service, port) {
            let all = by_number.entry(port.number).or_default();
            all.push((service, port));
        } else if port.protocol.handling() == Handling::Sniff {
            let table = route::of_service(view, service, port);
            resources.add(ROUTE, &table.name, &table);
        }
    }
    for (number, services) in by_number {
        let name = number.to_string();
        let table = route::of_port(view, (&name, number), services.into_iter());
        resources.add(ROUTE, &table.name, &table);
    }
    for bound in view.bound.iter() {
        let name = names::bound(bound);
        let http: Vec<_> = ports(&bound.services)
            .filter(|(_, port)| port.protocol.handling() != Handling::Tcp)
            .collect();
        if !http.is_empty() {
            let table = route::of_port(view, (&name, bound.number), http.into_iter());
            resources.add(ROUTE, &table.name, &table);
        }
    }
}

fn ports(services: &[Arc<Service>]) -> impl Iterator<Item = (&Service, &Port)> {
    services
        .iter()
        .flat_map(|service| service.ports.iter().map(move |port| (&**service, port)))
}
