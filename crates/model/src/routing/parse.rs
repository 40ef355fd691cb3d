//! One VirtualService from its object.

use super::VirtualService;
use super::check::{Fault, fault};
use super::http::{Place, route};
use crate::host::Host;
use crate::mesh::Mesh;
use crate::objects::{Config, Key};
use crate::problem::{ObjectRef, Problem, Severity};
use crate::visibility::Visibility;
use weft_api::networking::VirtualServiceSpec;

/// What it says to sidecars, `None` if nothing, and what is wrong with it.
pub(super) fn parse(
    mesh: &Mesh,
    object: &Config<VirtualServiceSpec>,
) -> (Option<VirtualService>, Vec<Problem>) {
    let mut problems = Vec::new();
    let gateways = &object.spec.gateways;
    if !gateways.is_empty() && !gateways.iter().any(|name| name == "mesh") {
        problems.push(without_gateways(object));
        return (None, problems);
    }
    for (field, routes) in [
        ("spec.tls", &object.spec.tls),
        ("spec.tcp", &object.spec.tcp),
    ] {
        if !routes.is_empty() {
            problems.push(unsupported(object, field));
        }
    }
    match try_parse(mesh, object) {
        Ok(service) => (Some(service), problems),
        Err(fault) => {
            problems.push(of_fault(reference(object), fault));
            (None, problems)
        }
    }
}

fn try_parse(mesh: &Mesh, object: &Config<VirtualServiceSpec>) -> Result<VirtualService, Fault> {
    let Key { namespace, .. } = &object.meta.key;
    let spec = &object.spec;
    if spec.hosts.is_empty() {
        return fault(
            "spec.hosts",
            "it is empty",
            "name the hosts that are routed",
        );
    }
    if let Some(index) = spec
        .hosts
        .iter()
        .position(|host| host == "*" || host.is_empty())
    {
        let remedy = "name a host; `*` is for gateways";
        return fault(
            format!("spec.hosts[{index}]"),
            "it stands for every host",
            remedy,
        );
    }
    let place = Place {
        namespace,
        cluster_domain: &mesh.cluster_domain,
    };
    let mut routes = Vec::new();
    for (index, each) in spec.http.iter().enumerate() {
        routes.extend(route(&format!("spec.http[{index}]"), each, &place)?);
    }
    let resolve = |host: &String| Host::resolve(host, namespace, &mesh.cluster_domain);
    Ok(VirtualService {
        key: object.meta.key.clone(),
        hosts: spec.hosts.iter().map(resolve).collect(),
        visibility: Visibility::parse(spec.export_to.iter().map(String::as_str), namespace),
        routes,
    })
}

/// The object as problems name it.
pub(super) fn reference(object: &Config<VirtualServiceSpec>) -> ObjectRef {
    ObjectRef {
        group: "networking.istio.io",
        kind: "VirtualService",
        key: object.meta.key.clone(),
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

fn without_gateways(object: &Config<VirtualServiceSpec>) -> Problem {
    Problem {
        object: reference(object),
        field: "spec.gateways".into(),
        reason: "NotSupported",
        message: "the mesh has no gateways yet".into(),
        remedy: "add `mesh` to route the requests of sidecars".into(),
        severity: Severity::Error,
    }
}

fn unsupported(object: &Config<VirtualServiceSpec>, field: &str) -> Problem {
    Problem {
        object: reference(object),
        field: field.into(),
        reason: "NotSupported",
        message: "routes of connections are not applied yet".into(),
        remedy: "use spec.http for HTTP Services".into(),
        severity: Severity::Error,
    }
}
