//! All VirtualServices, and what of them one client sees.

use super::binding::{Binding, Client, Source};
use super::in_force::in_force;
use super::parse::{parse, reference};
use super::roots::{Delegates, is_delegate};
use super::unknown::{Known, destinations, unknown};
use super::{VirtualService, notes};
use crate::host::Host;
use crate::mesh::Mesh;
use crate::objects::{Key, Objects};
use crate::problem::{Problem, Severity};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The VirtualServices of the mesh, the oldest first.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    oldest_first: Vec<Arc<VirtualService>>,
}

impl Routing {
    /// The VirtualServices in `objects`, and what is wrong with them. `known` is what they can name.
    pub(crate) fn build(mesh: &Mesh, objects: &Objects, known: &Known) -> (Self, Vec<Problem>) {
        let (delegates, mut problems) = Delegates::of(mesh, &objects.virtual_services);
        let mut sorted: Vec<_> = objects.virtual_services.values().collect();
        sorted.sort_by_key(|object| object.age());
        let mut winners: BTreeMap<Host, Key> = BTreeMap::new();
        let mut oldest_first = Vec::new();
        for object in sorted {
            problems.extend(notes::all(object));
            if is_delegate(object) {
                continue;
            }
            let routes = delegates.expand(object, &mut problems);
            match parse(mesh, object, routes) {
                Err(problem) => problems.push(*problem),
                Ok(service) => {
                    problems.extend(unknown(&service, known));
                    problems.extend(conflicts(&service, &mut winners));
                    oldest_first.push(Arc::new(in_force(service, known)));
                }
            }
        }
        (Self { oldest_first }, problems)
    }

    /// What `client` sees, the oldest first.
    pub(crate) fn seen(&self, client: &Client<'_>) -> Vec<Arc<VirtualService>> {
        let visible = self.oldest_first.iter().filter(|service| {
            let mut bindings = service.bindings.iter();
            bindings.any(|binding| client.is(binding))
                && service.visibility.includes(client.namespace)
        });
        visible.map(|service| for_client(service, client)).collect()
    }

    /// The services that the VirtualServices lead to which clients in `namespace` see and `imports`
    /// holds for.
    pub(crate) fn hosts(
        &self,
        namespace: &str,
        imports: impl Fn(&VirtualService) -> bool,
    ) -> BTreeSet<Host> {
        let visible = self.oldest_first.iter();
        let visible = visible.filter(|service| service.visibility.includes(namespace));
        visible
            .filter(|service| imports(service))
            .flat_map(|service| destinations(service).map(|(_, to)| to.host.clone()))
            .collect()
    }
}

/// Without what is for other clients.
fn for_client(service: &Arc<VirtualService>, client: &Client<'_>) -> Arc<VirtualService> {
    let requests = service.routes.iter().flat_map(|route| &route.matches);
    let connections = service.tls.iter().chain(&service.tcp);
    let connections = connections.flat_map(|route| &route.matches);
    let sources = requests.map(|each| &each.source);
    let mut sources = sources.chain(connections.map(|each| &each.source));
    if sources.all(|source| source.includes(client)) {
        return service.clone();
    }
    let mut own = VirtualService::clone(service);
    own.routes
        .retain_mut(|route| keep(&mut route.matches, client, |each| &each.source));
    for routes in [&mut own.tls, &mut own.tcp] {
        routes.retain_mut(|route| keep(&mut route.matches, client, |each| &each.source));
    }
    Arc::new(own)
}

/// Keeps what is for `client`; false if that leaves nothing of what was there.
fn keep<M>(matches: &mut Vec<M>, client: &Client<'_>, source: fn(&M) -> &Source) -> bool {
    let for_all = matches.is_empty();
    matches.retain(|each| source(each).includes(client));
    for_all || !matches.is_empty()
}

/// Hosts that an older one has at sidecars; at gateways their routes are put together.
fn conflicts(service: &VirtualService, winners: &mut BTreeMap<Host, Key>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !service.bindings.contains(&Binding::Mesh) {
        return problems;
    }
    for host in &service.hosts {
        match winners.get(host) {
            Some(winner) => problems.push(conflict(&service.key, host, winner)),
            None => drop(winners.insert(host.clone(), service.key.clone())),
        }
    }
    problems
}

fn conflict(key: &Key, host: &Host, winner: &Key) -> Problem {
    let Key { namespace, name } = winner;
    Problem {
        object: reference(key),
        field: "spec.hosts".into(),
        reason: "Conflict",
        message: format!(
            "the older VirtualService {namespace}/{name} has {host} where both are seen"
        ),
        remedy: "merge the two objects".into(),
        severity: Severity::Warning,
    }
}
