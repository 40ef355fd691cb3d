//! Services with their endpoints.

use super::endpoints::Sources;
use crate::entry;
use crate::host::Host;
use crate::mesh::Mesh;
use crate::objects::kubernetes::ServicePort;
use crate::objects::{self, EndpointSlice, Key, Objects};
use crate::problem::{ObjectRef, Problem, Severity};
use crate::protocol::Protocol;
use crate::service::{Port, Registry, Resolution, Service};
use crate::visibility::{EXPORT_TO, Visibility};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Ports of the proxy itself; it cannot listen there for a Service.
const CAPTURE_PORTS: [u16; 2] = [15001, 15006];

/// All services, those of ServiceEntries too, in the order of their keys.
pub(crate) fn all(mesh: &Mesh, sources: &Sources) -> (Vec<Arc<Service>>, Vec<Problem>) {
    let slices = slices(sources.objects);
    let mut aliases = aliases(mesh, sources.objects);
    let mut problems = Vec::new();
    let mut services = Vec::new();
    for service in sources.objects.services.values() {
        if service.external_name.is_some() {
            continue;
        }
        let host = host(mesh, &service.meta.key);
        let none = Vec::new();
        let slices = slices.get(&service.meta.key).unwrap_or(&none);
        let ports = ports(service, slices, sources, &mut problems);
        services.push(Arc::new(Service {
            aliases: aliases.remove(&host).unwrap_or_default(),
            key: service.meta.key.clone(),
            host,
            registry: Registry::Kubernetes,
            resolution: match service.cluster_ips.is_empty() {
                true => Resolution::Original,
                false => Resolution::Known,
            },
            addresses: service.cluster_ips.clone(),
            ranges: Vec::new(),
            automatic: Vec::new(),
            external: false,
            identities: Vec::new(),
            ports,
            visibility: visibility(service),
        }));
    }
    problems.extend(entry::add(sources, &mut services));
    for service in &mut services {
        if let Some(outside) = aliases.remove(&service.host) {
            Arc::make_mut(service).aliases = outside;
        }
    }
    services.sort_by(|a, b| a.key.cmp(&b.key));
    (services, problems)
}

/// The full name of a Service.
pub(crate) fn host(mesh: &Mesh, key: &Key) -> Host {
    Host::of_service(&key.name, &key.namespace, &mesh.cluster_domain)
}

/// The ports that the mesh carries: TCP, and a number.
pub(crate) fn carried(service: &objects::Service) -> impl Iterator<Item = &ServicePort> {
    let carried = |port: &&ServicePort| port.transport == "TCP" && port.number != 0;
    service.ports.iter().filter(carried)
}

/// What a port speaks.
pub(crate) fn protocol(port: &ServicePort) -> Protocol {
    let app = port.app_protocol.as_deref();
    Protocol::select(&port.transport, app, &port.name, port.number)
}

fn ports(
    service: &objects::Service,
    slices: &[&EndpointSlice],
    sources: &Sources,
    problems: &mut Vec<Problem>,
) -> Vec<Port> {
    let ipv6_first = service.cluster_ips.first().is_some_and(|ip| ip.is_ipv6());
    let (ours, usable): (Vec<_>, Vec<_>) =
        carried(service).partition(|port| CAPTURE_PORTS.contains(&port.number));
    problems.extend(ours.into_iter().map(|port| taken(service, port.number)));
    let mut ports: Vec<_> = usable
        .into_iter()
        .map(|port| Port {
            name: port.name.clone(),
            number: port.number,
            protocol: protocol(port),
            endpoints: [
                sources.endpoints(slices, &port.name, ipv6_first),
                entry::of_service(sources, service, port),
            ]
            .concat(),
        })
        .collect();
    ports.sort_by_key(|port| port.number);
    ports
}

fn taken(service: &objects::Service, port: u16) -> Problem {
    Problem {
        object: ObjectRef {
            group: "",
            kind: "Service",
            key: service.meta.key.clone(),
        },
        field: "spec.ports".into(),
        reason: "PortTaken",
        message: format!("port {port} is where proxies capture connections"),
        remedy: "give the Service another port; its targetPort may stay".into(),
        severity: Severity::Error,
    }
}

fn visibility(service: &objects::Service) -> Visibility {
    let Some(entries) = service.meta.annotations.get(EXPORT_TO) else {
        return Visibility::Everywhere;
    };
    Visibility::parse(entries.split(','), &service.meta.key.namespace)
}

fn slices(objects: &Objects) -> BTreeMap<Key, Vec<&EndpointSlice>> {
    let mut by_service: BTreeMap<Key, Vec<&EndpointSlice>> = BTreeMap::new();
    for slice in objects.endpoint_slices.values() {
        let service = Key::new(&slice.key.namespace, &slice.service);
        by_service.entry(service).or_default().push(slice);
    }
    by_service
}

/// `ExternalName` Services, by the name that they stand for.
fn aliases(mesh: &Mesh, objects: &Objects) -> BTreeMap<Host, Vec<(Key, Host)>> {
    let mut by_target: BTreeMap<Host, Vec<(Key, Host)>> = BTreeMap::new();
    for service in objects.services.values() {
        if let Some(target) = &service.external_name {
            let key = service.meta.key.clone();
            let alias = host(mesh, &key);
            let target = Host::new(target.trim_end_matches('.'));
            by_target.entry(target).or_default().push((key, alias));
        }
    }
    by_target
}
