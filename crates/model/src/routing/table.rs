//! All VirtualServices, and what of them one client sees.

use super::parse::{parse, reference};
use super::{Action, Destination, VirtualService};
use crate::host::Host;
use crate::mesh::Mesh;
use crate::objects::{Config, Key, Objects};
use crate::problem::{Problem, Severity};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use weft_api::networking::VirtualServiceSpec;

/// The VirtualServices of the mesh, the oldest first.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    oldest_first: Vec<Arc<VirtualService>>,
}

impl Routing {
    /// The VirtualServices in `objects`, and what is wrong with them. `known` are the services
    /// that there are, with their subsets.
    pub(crate) fn build(
        mesh: &Mesh,
        objects: &Objects,
        known: &BTreeMap<Host, BTreeSet<String>>,
    ) -> (Self, Vec<Problem>) {
        let mut sorted: Vec<_> = objects.virtual_services.values().collect();
        sorted.sort_by_key(|object| object.age());
        let mut problems = Vec::new();
        let mut winners: BTreeMap<Host, &Key> = BTreeMap::new();
        let mut oldest_first = Vec::new();
        for object in sorted {
            let (service, found) = parse(mesh, object);
            problems.extend(found);
            let Some(service) = service else { continue };
            problems.extend(unknown(object, &service, known));
            for host in &service.hosts {
                match winners.get(host) {
                    Some(winner) => problems.push(conflict(object, host, winner)),
                    None => drop(winners.insert(host.clone(), &object.meta.key)),
                }
            }
            oldest_first.push(Arc::new(service));
        }
        (Self { oldest_first }, problems)
    }

    /// What a client in `namespace` with `labels` sees, the oldest first.
    pub(crate) fn seen(
        &self,
        namespace: &str,
        labels: &BTreeMap<String, String>,
    ) -> Vec<Arc<VirtualService>> {
        let visible = self.oldest_first.iter();
        let visible = visible.filter(|service| service.visibility.includes(namespace));
        visible
            .map(|service| for_client(service, namespace, labels))
            .collect()
    }
}

/// Without what is for other clients.
fn for_client(
    service: &Arc<VirtualService>,
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> Arc<VirtualService> {
    let mut matches = service.routes.iter().flat_map(|route| &route.matches);
    if matches.all(|each| each.source.is_everyone()) {
        return service.clone();
    }
    let mut own = VirtualService::clone(service);
    own.routes.retain_mut(|route| {
        let for_all = route.matches.is_empty();
        let includes = |each: &super::Match| each.source.includes(namespace, labels);
        route.matches.retain(includes);
        for_all || !route.matches.is_empty()
    });
    Arc::new(own)
}

fn conflict(object: &Config<VirtualServiceSpec>, host: &Host, winner: &Key) -> Problem {
    let Key { namespace, name } = winner;
    Problem {
        object: reference(object),
        field: "spec.hosts".into(),
        reason: "Conflict",
        message: format!(
            "the older VirtualService {namespace}/{name} has {host} where both are seen"
        ),
        remedy: "merge the two objects".into(),
        severity: Severity::Warning,
    }
}

/// Destinations that do not exist; they answer 503 until they do.
fn unknown(
    object: &Config<VirtualServiceSpec>,
    service: &VirtualService,
    known: &BTreeMap<Host, BTreeSet<String>>,
) -> Vec<Problem> {
    let missing = |to: &&Destination| match known.get(&to.host) {
        None => true,
        Some(subsets) => !to.subset.is_empty() && !subsets.contains(&to.subset),
    };
    let places = destinations(service).filter(|(_, to)| missing(to));
    let problem = |(index, to): (usize, &Destination)| Problem {
        object: reference(object),
        field: format!("spec.http[{index}]"),
        reason: "NotFound",
        message: match to.subset.as_str() {
            "" => format!("there is no service {}", to.host),
            subset => format!("no DestinationRule gives {} a subset {subset}", to.host),
        },
        remedy: "create it, or name another destination".into(),
        severity: Severity::Warning,
    };
    let problems: BTreeSet<_> = places.map(problem).collect();
    problems.into_iter().collect()
}

fn destinations(service: &VirtualService) -> impl Iterator<Item = (usize, &Destination)> {
    let routes = service.routes.iter().enumerate();
    routes.flat_map(|(index, route)| {
        let forward = match &route.action {
            Action::Forward(forward) => Some(forward),
            Action::Redirect(_) | Action::Respond { .. } => None,
        };
        let all = forward.into_iter().flat_map(|forward| {
            let shares = forward.destinations.iter().map(|each| &each.destination);
            shares.chain(forward.mirrors.iter().map(|(to, _)| to))
        });
        all.map(move |to| (index, to))
    })
}
