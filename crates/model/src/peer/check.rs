//! What can be wrong with PeerAuthentications.

use super::{PeerAuthentication, has_selector, wanted};
use crate::mesh::Mesh;
use crate::objects::{Key, Objects};
use crate::problem::{ObjectRef, Problem, Severity};
use std::collections::{BTreeMap, BTreeSet};
use weft_api::networking::selector::selects;

/// The port that a key of `portLevelMtls` names.
pub(super) fn port(key: &str) -> Option<u16> {
    key.parse().ok().filter(|port| *port != 0)
}

/// Faults that an object has by itself.
pub(super) fn each(mesh: &Mesh, objects: &Objects) -> Vec<Problem> {
    let all = objects.peer_authentications.values();
    all.flat_map(|object| one(mesh, object)).collect()
}

fn one(mesh: &Mesh, object: &PeerAuthentication) -> Vec<Problem> {
    let mut problems = Vec::new();
    let Key { namespace, .. } = &object.meta.key;
    if has_selector(object) && *namespace == mesh.root_namespace {
        problems.push(Problem {
            field: "spec.selector".into(),
            reason: "NotApplied",
            message: format!("a selector has no meaning in the root namespace {namespace}"),
            remedy: "put the object into the namespace of its pods, or remove the selector".into(),
            ..error(object)
        });
    }
    if !has_selector(object) && !object.spec.port_level_mtls.is_empty() {
        problems.push(Problem {
            field: "spec.portLevelMtls".into(),
            reason: "NotApplied",
            message: "ports belong to workloads, and the object selects none".into(),
            remedy: "add spec.selector.matchLabels".into(),
            ..error(object)
        });
    }
    let ports = object.spec.port_level_mtls.keys();
    problems.extend(ports.filter(|key| port(key).is_none()).map(|key| Problem {
        field: format!("spec.portLevelMtls[{key}]"),
        reason: "Invalid",
        message: format!("`{key}` is not a port"),
        remedy: "use the number of a port of the pod, 1 to 65535".into(),
        ..error(object)
    }));
    problems
}

/// Objects that select a pod which an older one selects too.
pub(super) fn overlaps(
    by_namespace: &BTreeMap<String, Vec<PeerAuthentication>>,
    objects: &Objects,
) -> Vec<Problem> {
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    for pod in objects.pods.values() {
        let level = by_namespace.get(&pod.key.namespace).into_iter().flatten();
        let mut selecting = level.filter(|object| selects(wanted(object), &pod.labels));
        let Some(winner) = selecting.next() else {
            continue;
        };
        for loser in selecting {
            if seen.insert((&loser.meta.key, &winner.meta.key)) {
                let on = format!("pod {}", pod.key.name);
                problems.push(conflict(loser, winner, &on));
            }
        }
    }
    problems
}

/// `loser` and `winner` count for the same workloads.
pub(super) fn conflict(
    loser: &PeerAuthentication,
    winner: &PeerAuthentication,
    on: &str,
) -> Problem {
    let Key { namespace, name } = &winner.meta.key;
    Problem {
        field: "spec.selector".into(),
        reason: "Conflict",
        message: format!("the older PeerAuthentication {namespace}/{name} counts for {on} instead"),
        remedy: "merge the two objects, or select other pods".into(),
        ..error(loser)
    }
}

fn error(object: &PeerAuthentication) -> Problem {
    Problem {
        object: ObjectRef {
            group: "security.istio.io",
            kind: "PeerAuthentication",
            key: object.meta.key.clone(),
        },
        field: String::new(),
        reason: "Invalid",
        message: String::new(),
        remedy: String::new(),
        severity: Severity::Error,
    }
}
