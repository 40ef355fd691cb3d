//! Parsing of routes of connections: `tls` and `tcp`.

use super::binding::{Binding, Source};
use super::check::{Fault, fault, net, port};
use super::destination::{Place, of_connections};
use super::{ConnectionMatch, ConnectionRoute, Origin};
use crate::host::Host;
use crate::objects::Key;
use weft_api::networking::VirtualServiceSpec;
use weft_api::networking::virtual_service::{L4Match, L4Route};

/// The routes of TLS connections, which are told apart by the name that the client asks for.
pub(super) fn tls(
    spec: &VirtualServiceSpec,
    key: &Key,
    place: &Place,
) -> Result<Vec<ConnectionRoute>, Fault> {
    let mut routes = Vec::new();
    for (index, each) in spec.tls.iter().enumerate() {
        let at = format!("spec.tls[{index}]");
        if each.matches.is_empty() {
            let remedy = "add a match with sniHosts";
            return fault(format!("{at}.match"), "it is empty", remedy);
        }
        for (index, one) in each.matches.iter().enumerate() {
            names(&format!("{at}.match[{index}].sniHosts"), one, spec, place)?;
        }
        routes.push(route(&at, each, key, place)?);
    }
    Ok(routes)
}

/// The routes of other connections.
pub(super) fn tcp(
    spec: &VirtualServiceSpec,
    key: &Key,
    place: &Place,
) -> Result<Vec<ConnectionRoute>, Fault> {
    let mut routes = Vec::new();
    for (index, each) in spec.tcp.iter().enumerate() {
        let at = format!("spec.tcp[{index}]");
        let has_names = |one: &L4Match| !one.sni_hosts.is_empty();
        if let Some(index) = each.matches.iter().position(has_names) {
            let remedy = "move the route to spec.tls";
            let field = format!("{at}.match[{index}].sniHosts");
            return fault(field, "only TLS connections have names", remedy);
        }
        routes.push(route(&at, each, key, place)?);
    }
    Ok(routes)
}

/// The names of `one` must be among those that the object is for.
fn names(at: &str, one: &L4Match, spec: &VirtualServiceSpec, place: &Place) -> Result<(), Fault> {
    if one.sni_hosts.is_empty() {
        return fault(at, "it is empty", "name the hosts that clients ask for");
    }
    let resolve = |host: &String| Host::resolve(host, place.namespace, place.cluster_domain);
    let own: Vec<Host> = spec.hosts.iter().map(resolve).collect();
    let outside = |name: &&String| {
        let name = Host::new(name);
        !own.iter().any(|host| host.covers(&name))
    };
    match one.sni_hosts.iter().find(outside) {
        None => Ok(()),
        Some(name) => fault(
            at,
            format!("`{name}` is none of the object's hosts"),
            "add it to spec.hosts, or take it out here",
        ),
    }
}

fn route(at: &str, of: &L4Route, key: &Key, place: &Place) -> Result<ConnectionRoute, Fault> {
    let mut matches = Vec::new();
    for (index, each) in of.matches.iter().enumerate() {
        matches.push(one(&format!("{at}.match[{index}]"), each, place)?);
    }
    Ok(ConnectionRoute {
        origin: Origin {
            object: key.clone(),
            field: at.to_owned(),
        },
        matches,
        destinations: of_connections(at, &of.route, place)?,
    })
}

fn one(at: &str, of: &L4Match, place: &Place) -> Result<ConnectionMatch, Fault> {
    let mut subnets = Vec::new();
    for (index, each) in of.destination_subnets.iter().enumerate() {
        subnets.push(net(&format!("{at}.destinationSubnets[{index}]"), each)?);
    }
    Ok(ConnectionMatch {
        names: of.sni_hosts.iter().map(|name| Host::new(name)).collect(),
        subnets,
        port: of
            .port
            .map(|number| port(&format!("{at}.port"), number))
            .transpose()?,
        source: Source {
            bindings: Binding::parse(&of.gateways, place.namespace),
            namespace: of.source_namespace.clone().filter(|name| !name.is_empty()),
            labels: of.source_labels.clone(),
        },
    })
}
