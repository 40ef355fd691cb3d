//! All Sidecars, and which one counts for a workload.

use super::check::reference;
use super::parse::parse;
use super::{Scope, Sidecar};
use crate::build::scopes::Scopes;
use crate::mesh::Mesh;
use crate::objects::{Config, Key, Objects};
use crate::problem::{Problem, Severity};
use crate::routing::Routing;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use weft_api::networking::SidecarSpec;
use weft_api::networking::selector::selects;

/// The Sidecars of the mesh.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sidecars {
    /// Those with a selector, by namespace, the oldest first.
    selecting: BTreeMap<String, Vec<Scope>>,
    /// What counts for the rest of a namespace.
    general: BTreeMap<String, Scope>,
    /// What counts where nothing else does.
    anywhere: Option<Scope>,
}

impl Sidecars {
    /// The Sidecars in `objects`, and what is wrong with them.
    pub(crate) fn build(
        mesh: &Mesh,
        objects: &Objects,
        scopes: &Scopes,
        routing: &Routing,
    ) -> (Self, Vec<Problem>) {
        let mut sorted: Vec<&Arc<Config<SidecarSpec>>> = objects.sidecars.values().collect();
        sorted.sort_by_key(|object| object.age());
        let mut problems = Vec::new();
        let mut selecting: BTreeMap<String, Vec<Arc<Sidecar>>> = BTreeMap::new();
        let mut general: BTreeMap<String, Arc<Sidecar>> = BTreeMap::new();
        for object in sorted {
            let (sidecar, found) = parse(mesh, object);
            problems.extend(found);
            problems.extend(nowhere(&sidecar, scopes));
            let namespace = sidecar.key.namespace.clone();
            match (sidecar.selector.is_empty(), general.get(&namespace)) {
                (false, _) => selecting
                    .entry(namespace)
                    .or_default()
                    .push(Arc::new(sidecar)),
                (true, Some(winner)) => problems.push(lost(&sidecar.key, winner)),
                (true, None) => drop(general.insert(namespace, Arc::new(sidecar))),
            }
        }
        problems.extend(overlaps(&selecting, objects));
        let scope = |sidecar: &Arc<Sidecar>, namespace: &str| {
            let seen = scopes.seen(namespace);
            let mut scope = Scope::of(sidecar, namespace, seen);
            if sidecar.egress.is_some() {
                let routed = routing.hosts(namespace, |service| scope.imports(namespace, service));
                scope.lead_to(routed.iter().chain(sidecar.through()), seen);
            }
            scope
        };
        let root = general.get(&mesh.root_namespace);
        let mut all = Self {
            anywhere: root.map(|sidecar| scope(sidecar, "")),
            ..Self::default()
        };
        for namespace in namespaces(objects) {
            if let Some(sidecar) = general.get(namespace).or(root) {
                all.general
                    .insert(namespace.clone(), scope(sidecar, namespace));
            }
        }
        for (namespace, sidecars) in &selecting {
            let of = sidecars.iter().map(|sidecar| scope(sidecar, namespace));
            all.selecting.insert(namespace.clone(), of.collect());
        }
        (all, problems)
    }

    /// What counts for a workload with these labels; `None` if no Sidecar does.
    pub(crate) fn of(&self, namespace: &str, labels: &BTreeMap<String, String>) -> Option<&Scope> {
        let mut selecting = self.selecting.get(namespace).into_iter().flatten();
        selecting
            .find(|scope| selects(&scope.sidecar.selector, labels))
            .or_else(|| self.general.get(namespace))
            .or(self.anywhere.as_ref())
    }
}

fn namespaces(objects: &Objects) -> BTreeSet<&String> {
    let named = objects.namespaces.keys().map(|key| &key.name);
    let pods = objects.pods.keys().map(|key| &key.namespace);
    let sidecars = objects.sidecars.keys().map(|key| &key.namespace);
    named.chain(pods).chain(sidecars).collect()
}

/// Two for all workloads of a namespace: the younger is not applied.
fn lost(loser: &Key, winner: &Sidecar) -> Problem {
    let Key { namespace, name } = &winner.key;
    Problem {
        object: reference(loser),
        field: "spec.workloadSelector".into(),
        reason: "Conflict",
        message: format!(
            "the older Sidecar {namespace}/{name} counts for all of the namespace already; this one is not applied"
        ),
        remedy: "select workloads, or merge the two objects".into(),
        severity: Severity::Error,
    }
}

/// A service through which unknown destinations should be reached, and nobody has made.
fn nowhere(sidecar: &Sidecar, scopes: &Scopes) -> Option<Problem> {
    let host = sidecar.through()?;
    let seen = scopes.seen(&sidecar.key.namespace);
    let known = seen.iter().any(|service| service.host == *host);
    (!known).then(|| Problem {
        object: reference(&sidecar.key),
        field: "spec.outboundTrafficPolicy.egressProxy.host".into(),
        reason: "NotFound",
        message: format!("there is no service {host}, so that unknown destinations are refused"),
        remedy: "create it, or name another".into(),
        severity: Severity::Warning,
    })
}

/// Two for one workload: the older counts there.
fn overlaps(selecting: &BTreeMap<String, Vec<Arc<Sidecar>>>, objects: &Objects) -> Vec<Problem> {
    let mut found: BTreeMap<&Key, Problem> = BTreeMap::new();
    for pod in objects.pods.values().filter(|pod| !pod.finished) {
        let of = selecting.get(&pod.key.namespace).into_iter().flatten();
        let mut of = of.filter(|sidecar| selects(&sidecar.selector, &pod.labels));
        let Some(winner) = of.next() else { continue };
        for loser in of {
            found.entry(&loser.key).or_insert_with(|| Problem {
                object: reference(&loser.key),
                field: "spec.workloadSelector".into(),
                reason: "Conflict",
                message: format!(
                    "pod {} is selected by the older Sidecar {} too, which counts for it",
                    pod.key.name, winner.key.name
                ),
                remedy: "let each pod be selected by one".into(),
                severity: Severity::Warning,
            });
        }
    }
    found.into_values().collect()
}
