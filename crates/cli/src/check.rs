//! What is wrong with a mesh, and what to do. Pure.

use crate::answer::{Answer, table};
use crate::cluster::Facts;
use crate::status::{Injected, Program, injected, programs};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use serde::Serialize;
use weft_api::operator::MeshOperator;

/// Oldest Kubernetes whose native sidecars Weft can use.
const OLDEST: (u32, u32) = (1, 33);

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) enum Level {
    /// All is well.
    Ok,
    /// It works, but not as somebody may expect.
    Warning,
    /// It does not work.
    Error,
}

/// One finding.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Check {
    pub(crate) level: Level,
    pub(crate) about: String,
    pub(crate) finding: String,
}

/// All findings; yes if none is an error.
pub(crate) fn answer(facts: &Facts) -> Answer {
    let checks = checks(facts);
    let good = checks.iter().all(|check| check.level < Level::Error);
    let row = |check: &Check| {
        let level = format!("{:?}", check.level);
        vec![level, check.about.clone(), check.finding.clone()]
    };
    let rows: Vec<_> = checks.iter().map(row).collect();
    Answer::new(good, table(&["LEVEL", "ABOUT", "FINDING"], &rows), &checks)
}

/// All findings, in the order in which a mesh is built.
pub(crate) fn checks(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![kubernetes(facts.kubernetes)];
    let Some(meshes) = &facts.meshes else {
        let text = "the kind is not defined; install the chart charts/weft";
        checks.push(check(Level::Error, "MeshOperator", text));
        return checks;
    };
    checks.push(count(meshes));
    checks.extend(programs(facts).iter().map(program));
    for mesh in meshes {
        checks.extend(of_mesh(mesh));
    }
    if !meshes.is_empty() && facts.webhooks.is_empty() {
        let text = "there is none, so no pod gets a sidecar; see condition InjectionHealthy";
        checks.push(check(Level::Error, "webhook", text));
    }
    checks.extend(injected(facts).iter().filter_map(namespace));
    checks
}

fn check(level: Level, about: impl Into<String>, finding: impl Into<String>) -> Check {
    Check {
        level,
        about: about.into(),
        finding: finding.into(),
    }
}

fn kubernetes((major, minor): (u32, u32)) -> Check {
    let version = format!("version {major}.{minor}");
    if (major, minor) < OLDEST {
        let text = format!("{version}; Weft needs {}.{} or newer", OLDEST.0, OLDEST.1);
        return check(Level::Error, "Kubernetes", text);
    }
    check(Level::Ok, "Kubernetes", version)
}

fn count(meshes: &[MeshOperator]) -> Check {
    let about = "MeshOperator";
    match meshes {
        [] => check(
            Level::Error,
            about,
            "there is none, so there is no mesh; apply samples/mesh.yaml",
        ),
        [mesh] => check(Level::Ok, about, mesh.name_any()),
        more => {
            let text = format!(
                "there are {}, of which only the oldest counts; delete the others",
                more.len()
            );
            check(Level::Warning, about, text)
        }
    }
}

fn program(program: &Program) -> Check {
    let about = format!("Deployment {}", program.name);
    let text = format!("{} of {} pods are ready", program.ready, program.wanted);
    let level = match (program.ready, program.wanted) {
        (ready, wanted) if ready >= wanted => Level::Ok,
        (0, _) => Level::Error,
        _ => Level::Warning,
    };
    check(level, about, text)
}

/// The conditions of `mesh` that are not as they should be.
fn of_mesh(mesh: &MeshOperator) -> Vec<Check> {
    let name = mesh.name_any();
    let Some(status) = &mesh.status else {
        let text = "no operator has looked at it; see Deployment weft-operator";
        return vec![check(Level::Error, name, text)];
    };
    let mut checks: Vec<Check> = status
        .conditions
        .iter()
        .filter_map(|condition| of_condition(&name, condition))
        .collect();
    if status.observed_generation != mesh.metadata.generation {
        let text = "its last change has not been looked at yet";
        checks.push(check(Level::Warning, name, text));
    }
    checks
}

fn of_condition(mesh: &str, condition: &Condition) -> Option<Check> {
    let holds = condition.status == "True";
    let level = match condition.type_.as_str() {
        // `Ready` says why something is in progress.
        "Progressing" => return None,
        "ValuesAccepted" | "FieldsSupported" | "DataPlaneUpToDate" | "Removed" => Level::Warning,
        _ => Level::Error, // types of a newer operator too
    };
    let about = format!("{mesh} {}", condition.type_);
    let text = format!("{}: {}", condition.reason, condition.message);
    (!holds).then(|| check(level, about, text))
}

/// A namespace that wants sidecars and has pods without.
fn namespace(injected: &Injected) -> Option<Check> {
    (injected.opted_in && injected.missing > 0).then(|| {
        let text = format!(
            "{} of {} pods have no sidecar; ask weftctl why POD -n {}",
            injected.missing, injected.pods, injected.namespace
        );
        check(
            Level::Warning,
            format!("namespace {}", injected.namespace),
            text,
        )
    })
}
