//! The services that ServiceEntries describe.

use super::parse::parse;
use super::{Backends, Entry, automatic, check, endpoints, reference};
use crate::build::endpoints::Sources;
use crate::host::Host;
use crate::objects::{Config, Key};
use crate::problem::{Problem, Severity};
use crate::routing::of_fault;
use crate::service::{Port, Registry, Resolution, Service};
use std::collections::BTreeMap;
use std::sync::Arc;
use weft_api::networking::ServiceEntrySpec;

type Object = Arc<Config<ServiceEntrySpec>>;

/// Adds the services of all ServiceEntries to those of Kubernetes; gives what is wrong with them.
pub(crate) fn add(sources: &Sources, services: &mut Vec<Arc<Service>>) -> Vec<Problem> {
    let mut problems = check::workload_entries(sources.objects);
    let mut sorted: Vec<&Object> = sources.objects.service_entries.values().collect();
    sorted.sort_by_key(|object| object.age());
    let kubernetes = services.iter().enumerate();
    let kubernetes: BTreeMap<Host, usize> = kubernetes
        .map(|(index, service)| (service.host.clone(), index))
        .collect();
    let mut found: BTreeMap<Key, (Service, Key)> = BTreeMap::new();
    let mut in_turn: Vec<Key> = Vec::new();
    for object in sorted {
        let entry = match parse(object) {
            Ok(entry) => entry,
            Err(fault) => {
                problems.push(of_fault(reference(object), fault));
                continue;
            }
        };
        problems.extend(check::warnings(object, &entry));
        problems.extend(endpoints::names_without_dns(sources, &entry));
        for host in &entry.hosts {
            if let Some(known) = kubernetes.get(host) {
                problems.extend(decorate(object, &entry, &mut services[*known]));
                continue;
            }
            let service = service(sources, &entry, host);
            match found.get_mut(&service.key) {
                Some((older, winner)) => problems.extend(merge(object, older, service, winner)),
                None => {
                    in_turn.push(service.key.clone());
                    found.insert(service.key.clone(), (service, entry.key.clone()));
                }
            }
        }
    }
    give_addresses(&mut found, &in_turn);
    services.extend(found.into_values().map(|(service, _)| Arc::new(service)));
    problems
}

fn service(sources: &Sources, entry: &Entry, host: &Host) -> Service {
    let ports = entry.ports.iter().map(|port| Port {
        name: port.name.clone(),
        number: port.number,
        protocol: port.protocol,
        endpoints: endpoints::endpoints(sources, entry, port, host),
    });
    let mut ports: Vec<_> = ports.collect();
    ports.sort_by_key(|port| port.number);
    Service {
        key: Key::new(&entry.key.namespace, &**host),
        registry: Registry::Entry {
            created: entry.created,
            name: entry.key.name.clone(),
        },
        host: host.clone(),
        aliases: Vec::new(),
        addresses: entry.addresses.clone(),
        ranges: entry.ranges.clone(),
        automatic: Vec::new(),
        resolution: entry.resolution,
        external: entry.external,
        identities: entry.identities.clone(),
        ports,
        visibility: entry.visibility.clone(),
    }
}

/// A ServiceEntry for a Service of Kubernetes adds names of certificates and nothing else.
fn decorate(object: &Object, entry: &Entry, known: &mut Arc<Service>) -> Option<Problem> {
    if !entry.identities.is_empty() {
        Arc::make_mut(known)
            .identities
            .extend(entry.identities.clone());
    }
    let meant = !entry.identities.is_empty() && matches!(entry.backends, Backends::Hosts);
    if meant {
        return None;
    }
    let Key { namespace, name } = &known.key;
    Some(Problem {
        object: reference(object),
        field: "spec.hosts".into(),
        reason: "KubernetesService",
        message: format!(
            "{} is the Service {namespace}/{name}; only subjectAltNames are added to it",
            known.host
        ),
        remedy: "change the Service, or choose another host".into(),
        severity: Severity::Warning,
    })
}

/// Adds what a younger ServiceEntry of the same namespace says of the same host.
fn merge(object: &Object, older: &mut Service, younger: Service, winner: &Key) -> Vec<Problem> {
    let mut lost = Vec::new();
    let alike = (older.resolution, older.external) == (younger.resolution, younger.external);
    for port in younger.ports {
        let index = object
            .spec
            .ports
            .iter()
            .position(|other| other.name == port.name);
        let at = format!("spec.ports[{}]", index.unwrap_or_default());
        let same_number = older
            .ports
            .iter_mut()
            .find(|other| other.number == port.number);
        match same_number {
            Some(other) if alike && other.protocol == port.protocol => {
                other.endpoints.extend(port.endpoints);
                other.endpoints.sort();
                other.endpoints.dedup();
            }
            Some(_) => lost.push(at),
            None if alike => older.ports.push(port),
            None => lost.push(at),
        }
    }
    older.ports.sort_by_key(|port| port.number);
    for address in younger.addresses {
        if !older.addresses.contains(&address) {
            older.addresses.push(address);
        }
    }
    older.ranges.extend(younger.ranges);
    older.identities.extend(younger.identities);
    let Key { namespace, name } = winner;
    let problem = |field| Problem {
        object: reference(object),
        field,
        reason: "Conflict",
        message: format!(
            "the older ServiceEntry {namespace}/{name} has this port of {} in another way",
            younger.host
        ),
        remedy: "merge the two objects".into(),
        severity: Severity::Error,
    };
    lost.into_iter().map(problem).collect()
}

/// Hosts that can be asked for by name and have no address get one of each family.
fn give_addresses(found: &mut BTreeMap<Key, (Service, Key)>, oldest_first: &[Key]) {
    let without = oldest_first.iter().filter(|key| {
        found.get(*key).is_some_and(|(service, _)| {
            service.addresses.is_empty()
                && service.ranges.is_empty()
                && service.resolution != Resolution::Original
                && !service.host.is_wildcard()
        })
    });
    for (key, addresses) in automatic::allocate(without) {
        if let Some((service, _)) = found.get_mut(&key) {
            service.automatic = addresses;
        }
    }
}
