//! What VirtualServices name and nobody has made.

use super::binding::{Binding, Source};
use super::in_force::own;
use super::parse::reference;
use super::{Action, Destination, Origin, VirtualService};
use crate::host::Host;
use crate::objects::Key;
use crate::problem::{Problem, Severity};
use std::collections::{BTreeMap, BTreeSet};

/// What VirtualServices can name.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The services that there are, with their subsets.
    pub(crate) services: BTreeMap<Host, BTreeSet<String>>,
    /// The Gateways that there are.
    pub(crate) gateways: BTreeSet<Key>,
}

impl Known {
    /// Whether a destination exists, with its subset.
    pub(super) fn has(&self, to: &Destination) -> bool {
        let subsets = self.services.get(&to.host);
        subsets.is_some_and(|subsets| to.subset.is_empty() || subsets.contains(&to.subset))
    }
}

/// Destinations and gateways of `service` that do not exist.
pub(super) fn unknown(service: &VirtualService, known: &Known) -> Vec<Problem> {
    let own = own(service, known);
    let places = destinations(service).filter(|(_, to)| !known.has(to));
    let problem = |(origin, to): (&Origin, &Destination)| Problem {
        object: reference(&origin.object),
        field: origin.field.clone(),
        reason: "NotFound",
        message: message(to, own, known),
        remedy: "create it, or name another destination".into(),
        severity: Severity::Warning,
    };
    let problems: BTreeSet<_> = places.map(problem).collect();
    problems
        .into_iter()
        .chain(gateways(service, known))
        .collect()
}

/// What is missing, and where its requests go instead.
fn message(to: &Destination, own: Option<&Host>, known: &Known) -> String {
    let Destination { host, subset, .. } = to;
    let (missing, instead) = match (known.services.contains_key(host), own) {
        (true, _) => (
            format!("no DestinationRule gives {host} a subset {subset}"),
            format!("to all of {host}"),
        ),
        (false, Some(own)) => (format!("there is no service {host}"), format!("to {own}")),
        (false, None) => (
            format!("there is no service {host}"),
            "nowhere and are answered with 503".to_owned(),
        ),
    };
    format!(
        "{missing}; until then its requests go to the other destinations of the route, or if there is none {instead}"
    )
}

fn gateways(service: &VirtualService, known: &Known) -> Vec<Problem> {
    let requests = service.routes.iter().flat_map(|route| {
        route
            .matches
            .iter()
            .map(move |each| (&route.origin, &each.source))
    });
    let connections = service.tls.iter().chain(&service.tcp).flat_map(|route| {
        route
            .matches
            .iter()
            .map(move |each| (&route.origin, &each.source))
    });
    let whole = Origin {
        object: service.key.clone(),
        field: "spec.gateways".into(),
    };
    let of_source = |(origin, source): (&Origin, &Source)| {
        let bindings = source.bindings.iter();
        let names = bindings.map(|binding| (origin.clone(), binding.clone()));
        names.collect::<Vec<_>>()
    };
    let own = service
        .bindings
        .iter()
        .map(|binding| (whole.clone(), binding.clone()));
    let all = own.chain(requests.chain(connections).flat_map(of_source));
    let missing = all.filter_map(|(origin, binding)| match binding {
        Binding::Gateway(key) if !known.gateways.contains(&key) => Some(no_gateway(origin, &key)),
        Binding::Gateway(_) | Binding::Mesh => None,
    });
    let problems: BTreeSet<_> = missing.collect();
    problems.into_iter().collect()
}

fn no_gateway(origin: Origin, key: &Key) -> Problem {
    let Key { namespace, name } = key;
    Problem {
        object: reference(&origin.object),
        field: origin.field,
        reason: "NotFound",
        message: format!("there is no Gateway {namespace}/{name}"),
        remedy: "create it, or name another; `mesh` stands for sidecars".into(),
        severity: Severity::Warning,
    }
}

/// Where `service` leads to, and which route says so.
pub(super) fn destinations(
    service: &VirtualService,
) -> impl Iterator<Item = (&Origin, &Destination)> {
    let requests = service.routes.iter().flat_map(|route| {
        let forward = match &route.action {
            Action::Forward(forward) => Some(forward),
            Action::Redirect(_) | Action::Respond { .. } => None,
        };
        let all = forward.into_iter().flat_map(|forward| {
            let shares = forward.destinations.iter().map(|each| &each.destination);
            shares.chain(forward.mirrors.iter().map(|(to, _)| to))
        });
        all.map(move |to| (&route.origin, to))
    });
    let connections = service.tls.iter().chain(&service.tcp).flat_map(|route| {
        let all = route.destinations.iter().map(|each| &each.destination);
        all.map(move |to| (&route.origin, to))
    });
    requests.chain(connections)
}
