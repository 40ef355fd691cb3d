//! One VirtualService from its object.

use super::binding::Binding;
use super::check::{Fault, fault};
use super::destination::Place;
use super::http::route;
use super::{Origin, VirtualService, connections};
use crate::host::Host;
use crate::mesh::Mesh;
use crate::objects::{Config, Key};
use crate::problem::{ObjectRef, Problem, Severity};
use crate::visibility::Visibility;
use weft_api::networking::VirtualServiceSpec;
use weft_api::networking::http_route::HttpRoute;

/// What `object` says; its HTTP routes, with those of delegates, are `routes`.
///
/// # Errors
/// The first fault, which may be a delegate's.
pub(super) fn parse(
    mesh: &Mesh,
    object: &Config<VirtualServiceSpec>,
    routes: Vec<(Origin, HttpRoute)>,
) -> Result<VirtualService, Box<Problem>> {
    let key = &object.meta.key;
    let place = place(mesh, key);
    let own = |fault| Box::new(of_fault(reference(key), fault));
    let mut service = head(object, &place).map_err(own)?;
    for (origin, each) in routes {
        let owner = reference(&origin.object);
        let parsed =
            route(origin, &each, &place).map_err(|fault| Box::new(of_fault(owner, fault)))?;
        service.routes.push(parsed);
    }
    service.tls = connections::tls(&object.spec, key, &place).map_err(own)?;
    service.tcp = connections::tcp(&object.spec, key, &place).map_err(own)?;
    Ok(service)
}

/// What is wrong with a delegate, read by itself.
pub(super) fn check_delegate(
    mesh: &Mesh,
    object: &Config<VirtualServiceSpec>,
) -> Result<(), Box<Problem>> {
    let key = &object.meta.key;
    let spec = &object.spec;
    let own = |fault| Box::new(of_fault(reference(key), fault));
    let only = |field: &str| {
        let remedy = "move it to the VirtualService that delegates to this one, or name hosts";
        fault(
            field,
            "a VirtualService without hosts has only http routes",
            remedy,
        )
    };
    match (
        spec.gateways.is_empty(),
        spec.tls.is_empty(),
        spec.tcp.is_empty(),
    ) {
        (true, true, true) => {}
        (false, _, _) => return only("spec.gateways").map_err(own),
        (_, false, _) => return only("spec.tls").map_err(own),
        (_, _, false) => return only("spec.tcp").map_err(own),
    }
    for (origin, each) in own_routes(object) {
        route(origin, &each, &place(mesh, key)).map_err(own)?;
    }
    Ok(())
}

/// The HTTP routes of `object`, each with where it stands.
pub(super) fn own_routes(
    object: &Config<VirtualServiceSpec>,
) -> impl Iterator<Item = (Origin, HttpRoute)> {
    let numbered = object.spec.http.iter().enumerate();
    numbered.map(|(index, each)| {
        let origin = Origin {
            object: object.meta.key.clone(),
            field: format!("spec.http[{index}]"),
        };
        (origin, each.clone())
    })
}

/// Where short names in the object `key` are looked for.
pub(super) fn place<'a>(mesh: &'a Mesh, key: &'a Key) -> Place<'a> {
    Place {
        namespace: &key.namespace,
        cluster_domain: &mesh.cluster_domain,
    }
}

fn head(object: &Config<VirtualServiceSpec>, place: &Place) -> Result<VirtualService, Fault> {
    let spec = &object.spec;
    let bindings = match spec.gateways.is_empty() {
        true => vec![Binding::Mesh],
        false => Binding::parse(&spec.gateways, place.namespace),
    };
    if spec.http.is_empty() && spec.tls.is_empty() && spec.tcp.is_empty() {
        return fault(
            "spec.http",
            "it has no route",
            "add http, tls or tcp routes",
        );
    }
    let resolve = |host: &String| Host::resolve(host, place.namespace, place.cluster_domain);
    let hosts: Vec<Host> = spec.hosts.iter().map(resolve).collect();
    check_hosts(&hosts, bindings.contains(&Binding::Mesh))?;
    Ok(VirtualService {
        key: object.meta.key.clone(),
        hosts,
        bindings,
        visibility: Visibility::parse(spec.export_to.iter().map(String::as_str), place.namespace),
        routes: Vec::new(),
        tls: Vec::new(),
        tcp: Vec::new(),
    })
}

fn check_hosts(hosts: &[Host], for_sidecars: bool) -> Result<(), Fault> {
    for (index, host) in hosts.iter().enumerate() {
        let field = format!("spec.hosts[{index}]");
        if host.is_empty() || (&**host == "*" && for_sidecars) {
            let remedy = "name a host; `*` is for gateways";
            return fault(field, "it stands for every host", remedy);
        }
        let before = &hosts[..index];
        if let Some(other) = before
            .iter()
            .find(|one| one.covers(host) || host.covers(one))
        {
            let message = format!("{host} overlaps with {other}");
            return fault(field, message, "keep one of the two");
        }
    }
    Ok(())
}

/// The object as problems name it.
pub(super) fn reference(key: &Key) -> ObjectRef {
    ObjectRef {
        group: "networking.istio.io",
        kind: "VirtualService",
        key: key.clone(),
    }
}

/// `fault` as a problem of `object`, which is not applied.
pub(crate) fn of_fault(object: ObjectRef, fault: Fault) -> Problem {
    Problem {
        object,
        field: fault.field,
        reason: "Invalid",
        message: fault.message,
        remedy: fault.remedy.into(),
        severity: Severity::Error,
    }
}
