//! What a Sidecar leaves of the services that its namespace sees.

use super::{Egress, EgressPort, Sidecar};
use crate::build::scopes::Services;
use crate::host::Host;
use crate::routing::VirtualService;
use crate::service::{Port, Service};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
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
        let (mut services, mut destinations) = (Vec::new(), Vec::new());
        for service in seen.iter() {
            let includes = |each: &&Egress| each.includes(namespace, service);
            if !egress.iter().any(|each| includes(&each)) {
                continue;
            }
            destinations.push(service.clone());
            services.extend(reduced(service, egress, namespace));
        }
        let bound = egress.iter().filter_map(|each| {
            let (port, place) = each
                .port
                .as_ref()
                .and_then(|port| Some((port, port.place?)))?;
            let of = seen
                .iter()
                .filter(|service| each.includes(namespace, service));
            Some(Bound {
                place,
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
    fn includes(&self, own: &str, service: &Service) -> bool {
        let (namespace, host) = (&service.key.namespace, &service.host);
        let named = |patterns: &[super::Pattern]| {
            patterns
                .iter()
                .any(|pattern| pattern.includes(own, namespace, host))
        };
        named(&self.hosts) && !named(&self.except)
    }
}

/// `service` with the ports that are reached where the service is; `None` if there are none.
fn reduced(service: &Arc<Service>, egress: &[Egress], own: &str) -> Option<Arc<Service>> {
    let single: BTreeMap<u16, &Egress> = egress
        .iter()
        .filter_map(|each| Some((each.port.as_ref()?.number, each)))
        .collect();
    let general = egress.iter().find(|each| each.port.is_none());
    let general = general.is_some_and(|each| each.includes(own, service));
    let kept = |port: &Port| match single.get(&port.number) {
        None => general.then(|| port.clone()),
        Some(each) => {
            let settings = each.port.as_ref()?;
            let here = settings.place.is_none() && each.includes(own, service);
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
