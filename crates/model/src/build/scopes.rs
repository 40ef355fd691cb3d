//! Which services the clients of a namespace see: one for each host.
//!
//! Of several ServiceEntries for a host, of different namespaces, the client's own counts, else the
//! oldest one that it sees.

use crate::host::Host;
use crate::objects::Key;
use crate::problem::{ObjectRef, Problem, Severity};
use crate::service::{Registry, Service};
use crate::visibility::Visibility;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Services in the order of their keys.
pub(crate) type Services = Arc<Vec<Arc<Service>>>;

/// The services that clients see, by namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scopes {
    /// Of namespaces that see what everyone sees.
    public: Services,
    /// Of the others.
    own: BTreeMap<String, Services>,
}

impl Scopes {
    /// The scopes of `services`.
    pub(crate) fn of(services: &[Arc<Service>]) -> Self {
        let doubles = doubles(services);
        let mut special: BTreeSet<&String> = BTreeSet::new();
        for service in services {
            if let Visibility::Namespaces(namespaces) = &service.visibility {
                special.extend(namespaces);
            }
            if doubles.contains_key(&service.host) {
                special.insert(&service.key.namespace);
            }
        }
        let public = services
            .iter()
            .filter(|service| service.visibility == Visibility::Everywhere);
        let own = special.into_iter().map(|namespace| {
            let seen = services
                .iter()
                .filter(|service| service.visibility.includes(namespace));
            (namespace.clone(), one_for_each(seen, &doubles, namespace))
        });
        Self {
            own: own.collect(),
            public: one_for_each(public, &doubles, ""),
        }
    }

    /// What clients in `namespace` see.
    pub(crate) fn seen(&self, namespace: &str) -> &Services {
        self.own.get(namespace).unwrap_or(&self.public)
    }
}

type Doubles<'a> = BTreeMap<&'a Host, Vec<&'a Arc<Service>>>;

/// Hosts that several services have.
fn doubles(services: &[Arc<Service>]) -> Doubles<'_> {
    let mut by_host: Doubles<'_> = BTreeMap::new();
    for service in services {
        by_host.entry(&service.host).or_default().push(service);
    }
    by_host.retain(|_, of| of.len() > 1);
    by_host
}

fn one_for_each<'a>(
    seen: impl Iterator<Item = &'a Arc<Service>>,
    doubles: &Doubles<'_>,
    namespace: &str,
) -> Services {
    let rank = |service: &Service| {
        let foreign = service.key.namespace != namespace;
        (foreign, service.registry.clone(), service.key.clone())
    };
    let mut best: BTreeMap<&Host, &Arc<Service>> = BTreeMap::new();
    let mut chosen = Vec::new();
    for service in seen {
        if !doubles.contains_key(&service.host) {
            chosen.push(service.clone());
            continue;
        }
        let first = best.entry(&service.host).or_insert(service);
        if rank(service) < rank(first) {
            *first = service;
        }
    }
    chosen.extend(best.into_values().cloned());
    chosen.sort_by(|a, b| a.key.cmp(&b.key));
    Arc::new(chosen)
}

/// Those who see two services of a host get one: its younger object says so.
pub(crate) fn conflicts(services: &[Arc<Service>]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (host, mut of) in doubles(services) {
        of.sort_by_key(|service| (&service.registry, &service.key));
        for (index, younger) in of.iter().enumerate() {
            let older = of[..index]
                .iter()
                .find(|older| overlap(&older.visibility, &younger.visibility));
            if let (Some(older), Registry::Entry { name, .. }) = (older, &younger.registry) {
                problems.push(conflict(
                    host,
                    older,
                    Key::new(&younger.key.namespace, name),
                ));
            }
        }
    }
    problems
}

fn conflict(host: &Host, winner: &Service, key: Key) -> Problem {
    let name = match &winner.registry {
        Registry::Kubernetes => &winner.key.name,
        Registry::Entry { name, .. } => name,
    };
    Problem {
        object: ObjectRef {
            group: "networking.istio.io",
            kind: "ServiceEntry",
            key,
        },
        field: "spec.hosts".into(),
        reason: "Conflict",
        message: format!(
            "the older ServiceEntry {}/{name} has {host} for all namespaces but this one",
            winner.key.namespace
        ),
        remedy: "keep one of them, or limit who sees them with exportTo".into(),
        severity: Severity::Warning,
    }
}

fn overlap(one: &Visibility, other: &Visibility) -> bool {
    match (one, other) {
        (Visibility::Everywhere, Visibility::Everywhere) => true,
        (Visibility::Everywhere, Visibility::Namespaces(some))
        | (Visibility::Namespaces(some), Visibility::Everywhere) => !some.is_empty(),
        (Visibility::Namespaces(some), Visibility::Namespaces(others)) => !some.is_disjoint(others),
    }
}
