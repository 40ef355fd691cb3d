//! What a Sidecar leaves of the services that its namespace sees.

use super::{Egress, EgressPort, Namespace, Sidecar};
use crate::build::scopes::Services;
use crate::host::Host;
use crate::routing::VirtualService;
use crate::service::{Port, Service};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

/// What a workload knows of the mesh.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The services that it can call, with the ports that it can call.
    pub services: Services,
    /// These, and those that routes lead to from them; with all ports.
    pub destinations: Services,
    /// Ports that are listened on somewhere else than the services are.
    pub bound: Arc<Vec<Bound>>,
    pub(crate) sidecar: Arc<Sidecar>,
}

/// A port at an address of the Sidecar's choice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bound {
    /// The address.
    pub place: IpAddr,
    /// The port.
    pub number: u16,
    /// Whether the application connects there by itself; else it is captured.
    pub listens: bool,
    /// The services that have this port, and no other port of them.
    pub services: Vec<Arc<Service>>,
}

impl Scope {
    /// What `sidecar` leaves of `seen` for workloads in `namespace`.
    pub(super) fn of(sidecar: &Arc<Sidecar>, namespace: &str, seen: &Services) -> Self {
        let Some(egress) = &sidecar.egress else {
            return Self {
                services: seen.clone(),
                destinations: seen.clone(),
                bound: Arc::default(),
                sidecar: sidecar.clone(),
            };
        };
        let included: Vec<BTreeSet<usize>> = egress
            .iter()
            .map(|each| each.included(namespace, seen))
            .collect();
        let mut all: BTreeSet<usize> = BTreeSet::new();
        all.extend(included.iter().flatten());
        let destinations: Vec<_> = all.iter().map(|at| seen[*at].clone()).collect();
        let services = all.iter().filter_map(|at| {
            let by = egress.iter().zip(&included);
            let by: Vec<_> = by
                .map(|(each, included)| (each, included.contains(at)))
                .collect();
            reduced(&seen[*at], &by)
        });
        let services: Vec<_> = services.collect();
        let bound = egress.iter().zip(&included).filter_map(|(each, included)| {
            let port = each.port.as_ref()?;
            let of = included.iter().map(|at| &seen[*at]);
            Some(Bound {
                place: port.place?,
                number: port.number,
                listens: port.bound,
                services: of.filter_map(|service| only(service, port)).collect(),
            })
        });
        Self {
            services: Arc::new(services),
            destinations: Arc::new(destinations),
            bound: Arc::new(bound.collect()),
            sidecar: sidecar.clone(),
        }
    }

    /// Whether a VirtualService counts for the workload, which is in `namespace`.
    pub(crate) fn imports(&self, namespace: &str, service: &VirtualService) -> bool {
        let Some(egress) = &self.sidecar.egress else {
            return true;
        };
        let mut patterns = egress.iter().flat_map(|each| &each.hosts);
        patterns.any(|pattern| {
            let meets = |host: &Host| pattern.host.covers(host) || host.covers(&pattern.host);
            pattern.in_namespace(namespace, &service.key.namespace)
                && service.hosts.iter().any(meets)
        })
    }

    /// Adds the services that `routing` leads to, of those that are `seen`.
    pub(crate) fn lead_to<'a>(&mut self, hosts: impl Iterator<Item = &'a Host>, seen: &Services) {
        let known: BTreeSet<&Host> = self.destinations.iter().map(|each| &each.host).collect();
        let wanted: BTreeSet<&Host> = hosts.filter(|host| !known.contains(host)).collect();
        if wanted.is_empty() {
            return;
        }
        let more = seen.iter().filter(|service| wanted.contains(&service.host));
        let mut all: Vec<_> = self.destinations.iter().chain(more).cloned().collect();
        all.sort_by(|a, b| a.key.cmp(&b.key));
        self.destinations = Arc::new(all);
    }
}

impl Egress {
    /// The places in `seen`, which is in the order of keys, of what it names.
    fn included(&self, own: &str, seen: &[Arc<Service>]) -> BTreeSet<usize> {
        let mut places = BTreeSet::new();
        for pattern in &self.hosts {
            let range = match &pattern.namespace {
                Namespace::Any => 0..seen.len(),
                Namespace::Own => in_namespace(own, seen),
                Namespace::Named(name) => in_namespace(name, seen),
            };
            places.extend(range.filter(|at| pattern.host.covers(&seen[*at].host)));
        }
        places.retain(|at| {
            let (namespace, host) = (&seen[*at].key.namespace, &seen[*at].host);
            let mut except = self.except.iter();
            !except.any(|pattern| pattern.includes(own, namespace, host))
        });
        places
    }
}

/// Where the services of a namespace are: a cluster has many namespaces, a Sidecar names few.
fn in_namespace(namespace: &str, seen: &[Arc<Service>]) -> Range<usize> {
    let start = seen.partition_point(|service| *service.key.namespace < *namespace);
    let length = seen[start..].partition_point(|service| service.key.namespace == namespace);
    start..start + length
}

/// `service` with the ports that are reached where the service is; `None` if there are none. `by`
/// says of each listener whether it includes the service.
fn reduced(service: &Arc<Service>, by: &[(&Egress, bool)]) -> Option<Arc<Service>> {
    let number = |each: &Egress| each.port.as_ref().map(|port| port.number);
    let general = by
        .iter()
        .any(|(each, included)| each.port.is_none() && *included);
    let kept = |port: &Port| match by
        .iter()
        .find(|(each, _)| number(each) == Some(port.number))
    {
        None => general.then(|| port.clone()),
        Some((each, included)) => {
            let settings = each.port.as_ref()?;
            let here = settings.place.is_none() && *included;
            here.then(|| spoken(port, settings))
        }
    };
    let ports: Vec<Port> = service.ports.iter().filter_map(kept).collect();
    if ports == service.ports {
        return Some(service.clone());
    }
    (!ports.is_empty()).then(|| {
        Arc::new(Service {
            ports,
            ..Service::clone(service)
        })
    })
}

fn only(service: &Arc<Service>, settings: &EgressPort) -> Option<Arc<Service>> {
    let port = service
        .ports
        .iter()
        .find(|port| port.number == settings.number)?;
    Some(Arc::new(Service {
        ports: vec![spoken(port, settings)],
        ..Service::clone(service)
    }))
}

fn spoken(port: &Port, settings: &EgressPort) -> Port {
    Port {
        protocol: settings.protocol.unwrap_or(port.protocol),
        ..port.clone()
    }
}
