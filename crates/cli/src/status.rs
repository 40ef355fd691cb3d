//! The state of meshes, their programs and their pods. Pure.

use crate::answer::{Answer, table};
use crate::cluster::Facts;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::core::PartialObjectMeta;
use serde::Serialize;
use std::collections::BTreeMap;
use weft_api::labels::{INJECT, INJECTED, ISTIO_INJECT, ISTIO_INJECTION, SKIPPED};
use weft_api::operator::{MeshOperator, Phase};

/// One MeshOperator.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Mesh {
    name: String,
    version: Option<String>,
    operator: Option<String>,
    phase: Option<Phase>,
    ready: bool,
    conditions: Vec<Condition>,
}

/// One Deployment of the operator or of a mesh.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Program {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) ready: i32,
    pub(crate) wanted: i32,
    pub(crate) image: String,
}

/// Sidecars of one namespace.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Injected {
    pub(crate) namespace: String,
    pub(crate) opted_in: bool,
    pub(crate) pods: usize,
    pub(crate) injected: usize,
    /// Pods that have none and neither refuse one nor say why.
    pub(crate) missing: usize,
}

#[derive(Debug, Serialize)]
struct Status {
    meshes: Vec<Mesh>,
    programs: Vec<Program>,
    namespaces: Vec<Injected>,
}

/// All of it; yes if there is a mesh and every one is ready.
pub(crate) fn answer(facts: &Facts) -> Answer {
    let meshes = facts.meshes.iter().flatten().map(mesh).collect();
    let mut namespaces = injected(facts);
    namespaces.retain(|namespace| namespace.opted_in || namespace.injected > 0);
    let status = Status {
        meshes,
        programs: programs(facts),
        namespaces,
    };
    let good = !status.meshes.is_empty() && status.meshes.iter().all(|mesh| mesh.ready);
    Answer::new(good, text(&status), &status)
}

fn text(status: &Status) -> String {
    if status.meshes.is_empty() {
        return "there is no mesh; weftctl check says what to do".to_owned();
    }
    let conditions = status.meshes.iter().flat_map(|mesh| {
        let row = |c: &Condition| {
            let (name, kind) = (mesh.name.clone(), c.type_.clone());
            vec![
                name,
                kind,
                c.status.clone(),
                c.reason.clone(),
                c.message.clone(),
            ]
        };
        mesh.conditions.iter().map(row).collect::<Vec<_>>()
    });
    let conditions: Vec<_> = conditions.collect();
    [
        meshes(&status.meshes),
        table(
            &["MESH", "CONDITION", "STATUS", "REASON", "MESSAGE"],
            &conditions,
        ),
        table(
            &["PROGRAM", "READY", "IMAGE"],
            &rows(&status.programs, program_row),
        ),
        table(
            &["NAMESPACE", "SIDECARS", "PODS", "MISSING"],
            &rows(&status.namespaces, namespace_row),
        ),
    ]
    .join("\n")
}

fn rows<T>(items: &[T], row: fn(&T) -> Vec<String>) -> Vec<Vec<String>> {
    items.iter().map(row).collect()
}

fn meshes(meshes: &[Mesh]) -> String {
    let row = |mesh: &Mesh| {
        let phase = mesh.phase.map(|phase| format!("{phase:?}"));
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        vec![
            mesh.name.clone(),
            or_none(mesh.version.clone()),
            or_none(phase),
        ]
    };
    table(&["MESH", "VERSION", "PHASE"], &rows(meshes, row))
}

fn program_row(program: &Program) -> Vec<String> {
    vec![
        format!("{}/{}", program.namespace, program.name),
        format!("{}/{}", program.ready, program.wanted),
        program.image.clone(),
    ]
}

fn namespace_row(namespace: &Injected) -> Vec<String> {
    let counts = [namespace.injected, namespace.pods, namespace.missing];
    let counts = counts.iter().map(ToString::to_string);
    std::iter::once(namespace.namespace.clone())
        .chain(counts)
        .collect()
}

fn mesh(mesh: &MeshOperator) -> Mesh {
    let status = mesh.status.clone().unwrap_or_default();
    let version = status.version.unwrap_or_default();
    let current = status.observed_generation == mesh.metadata.generation;
    let ready = |c: &Condition| c.type_ == "Ready" && c.status == "True";
    Mesh {
        name: mesh.name_any(),
        version: version.stable,
        operator: version.operator,
        phase: status.phase,
        ready: current && status.conditions.iter().any(ready),
        conditions: status.conditions,
    }
}

/// The Deployments of the operator and of its meshes.
pub(crate) fn programs(facts: &Facts) -> Vec<Program> {
    facts.programs.iter().map(program).collect()
}

fn program(deployment: &Deployment) -> Program {
    let spec = deployment.spec.as_ref();
    let status = deployment.status.as_ref();
    let pod = spec.and_then(|spec| spec.template.spec.as_ref());
    let image = pod.and_then(|pod| pod.containers.first()?.image.clone());
    Program {
        namespace: deployment.namespace().unwrap_or_default(),
        name: deployment.name_any(),
        ready: status.and_then(|status| status.ready_replicas).unwrap_or(0),
        wanted: spec.and_then(|spec| spec.replicas).unwrap_or(1),
        image: image.unwrap_or_default(),
    }
}

/// Sidecars by namespace.
pub(crate) fn injected(facts: &Facts) -> Vec<Injected> {
    let mut by_namespace: BTreeMap<String, Vec<&PartialObjectMeta<Pod>>> = BTreeMap::new();
    for pod in &facts.pods {
        let namespace = pod.namespace().unwrap_or_default();
        by_namespace.entry(namespace).or_default().push(pod);
    }
    let of = |(namespace, pods): (String, Vec<&PartialObjectMeta<Pod>>)| Injected {
        opted_in: opted_in(facts, &namespace),
        namespace,
        injected: pods.iter().filter(|pod| has_sidecar(pod)).count(),
        missing: pods.iter().filter(|pod| is_missing(pod)).count(),
        pods: pods.len(),
    };
    by_namespace.into_iter().map(of).collect()
}

/// Whether the namespace `name` asks for sidecars by a label; ours counts more than Istio's.
fn opted_in(facts: &Facts, name: &str) -> bool {
    let namespace = facts.namespaces.iter().find(|n| n.name_any() == name);
    let said = namespace.and_then(|namespace| {
        let labels = namespace.labels();
        labels.get(INJECT).or_else(|| labels.get(ISTIO_INJECTION))
    });
    said.is_some_and(|value| value == "enabled")
}

fn has_sidecar(pod: &PartialObjectMeta<Pod>) -> bool {
    pod.labels()
        .get(INJECTED)
        .is_some_and(|value| value == "true")
}

fn is_missing(pod: &PartialObjectMeta<Pod>) -> bool {
    let refuses = [INJECT, ISTIO_INJECT].iter().any(|key| {
        let said = pod
            .labels()
            .get(*key)
            .or_else(|| pod.annotations().get(*key));
        said.is_some_and(|value| value == "false" || value == "disabled")
    });
    !has_sidecar(pod) && !refuses && !pod.annotations().contains_key(SKIPPED)
}

/// Versions of this program and, with `facts`, of meshes and their operator.
pub(crate) fn version(facts: Option<&Facts>) -> Answer {
    let client = env!("CARGO_PKG_VERSION");
    let meshes: Vec<Mesh> = facts
        .and_then(|facts| facts.meshes.as_ref())
        .map(|meshes| meshes.iter().map(mesh).collect())
        .unwrap_or_default();
    let mut rows = vec![vec!["weftctl".to_owned(), client.to_owned()]];
    for mesh in &meshes {
        let unknown = || "unknown".to_owned();
        let operator = mesh.operator.clone().unwrap_or_else(unknown);
        let version = mesh.version.clone().unwrap_or_else(unknown);
        rows.push(vec![format!("operator of {}", mesh.name), operator]);
        rows.push(vec![format!("mesh {}", mesh.name), version]);
    }
    let value: BTreeMap<&String, &String> = rows.iter().map(|row| (&row[0], &row[1])).collect();
    Answer::new(true, table(&["PROGRAM", "VERSION"], &rows), &value)
}
