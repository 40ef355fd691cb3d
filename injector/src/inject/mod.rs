//! From a pod and the mesh's settings to the pod with its sidecar. Pure.
//!
//! Flows in: a pod that `decide` wants injected. Flows out: the same pod with the parts of
//! `ARCHITECTURE.md`, "An injected pod". The steps stand in order in [`inject`]. A pod that was
//! injected before is first taken back to what its author wrote, so that injecting twice is
//! injecting once, also after other webhooks have added containers.

mod annotations;
mod capture;
mod containers;
pub mod marker;
mod merge;
mod metrics;
mod overlay;
mod probes;
mod quantity;
mod sidecar;
mod templates;
mod volumes;
mod warnings;
mod workload;

use crate::refused::Refused;
use crate::{Namespace, Subject};
use marker::Marker;
use serde_json::{Map, Value, json};
use sidecar::Sidecar;
use weft_api::injection::InjectionSettings;
use weft_api::labels;
use workload::Workload;

/// An injected pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Injected {
    /// The pod.
    pub pod: Value,
    /// What its author should know.
    pub warnings: Vec<String>,
}

/// The two containers that are added, while they are put together.
#[derive(Clone, Debug, PartialEq)]
struct Parts {
    init: Value,
    proxy: Value,
}

/// Adds the sidecar to `subject`.
///
/// # Errors
/// If the pod asks for something that cannot be had.
pub fn inject(
    subject: &Subject,
    namespace: &Namespace,
    settings: &InjectionSettings,
) -> Result<Injected, Refused> {
    let before = Marker::of(&subject.typed);
    let subject = match &before {
        Some(marker) => Subject::new(marker::strip(subject.raw.clone(), marker))?,
        None => subject.clone(),
    };
    let mut sidecar = annotations::read(&subject, settings)?;
    let workload = Workload::of(&subject.typed, &namespace.name);
    let mut pod = subject.raw.clone();
    let mut parts = containers::parts(&sidecar, &workload);

    let overlay = overlay::take(&mut pod).or(before.and_then(|marker| marker.overlay));
    let added = templates::merge(&mut parts, &mut pod, &mut sidecar)?;
    sidecar.apply_resources(&mut parts)?;
    containers::tell_cpu_limit(&mut parts.proxy);
    if let Some(overlay) = &overlay {
        overlay::apply(&mut parts, overlay, &sidecar.settings)?;
    }
    sidecar
        .warnings
        .extend(warnings::of(&subject, namespace, &sidecar));

    let prometheus = metrics::redirect(&mut pod, &mut parts, &sidecar);
    probes::redirect(&mut pod, &mut parts, &mut sidecar);
    let mut marker = Marker::new(&sidecar, overlay, prometheus);
    marker.volumes.extend(volumes::add(&mut pod));
    marker.add_containers(added);
    place(&mut pod, parts, sidecar.native);
    volumes::add_pull_secrets(&mut pod, &sidecar.settings);
    label(&mut pod, &workload, &sidecar, &marker);
    sidecar.warnings.dedup();
    Ok(Injected {
        pod,
        warnings: sidecar.warnings,
    })
}

/// Native: before all init containers, which are then part of the mesh. Classic: capture starts
/// after them, so that they have the network that they would have without a mesh.
fn place(pod: &mut Value, parts: Parts, native: bool) {
    let Parts { init, proxy } = parts;
    if native {
        let all = list(pod, "initContainers");
        all.splice(0..0, [init, proxy]);
    } else {
        list(pod, "initContainers").push(init);
        list(pod, "containers").insert(0, proxy);
    }
}

/// Labels and annotations; what the pod says itself stays.
fn label(pod: &mut Value, workload: &Workload, sidecar: &Sidecar, marker: &Marker) {
    let first_app = app_containers(pod).next().map(|c| c["name"].clone());
    for (key, value) in workload.labels(pod) {
        default_metadata(pod, "labels", key, value.into());
    }
    default_metadata(pod, "labels", labels::TLS_MODE, "istio".into());
    set_metadata(pod, "labels", labels::INJECTED, "true".into());
    set_metadata(
        pod,
        "labels",
        labels::REVISION,
        sidecar.settings.revision.clone().into(),
    );
    set_metadata(pod, "annotations", labels::STATUS, marker.text().into());
    if let Some(name) = first_app {
        default_metadata(
            pod,
            "annotations",
            "kubectl.kubernetes.io/default-container",
            name,
        );
    }
}

fn app_containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let all = pod["spec"]["containers"].as_array().into_iter().flatten();
    all.filter(|c| !c["name"].as_str().is_some_and(Marker::is_ours))
}

/// The list `key` of the pod's spec, made where it is missing.
fn list<'a>(pod: &'a mut Value, key: &str) -> &'a mut Vec<Value> {
    let list = &mut pod["spec"][key];
    if !list.is_array() {
        *list = json!([]);
    }
    list.as_array_mut()
        .expect("it was made a list one line above")
}

/// The map `key` (`labels` or `annotations`) of the pod's metadata, made where it is missing.
fn metadata<'a>(pod: &'a mut Value, key: &str) -> &'a mut Map<String, Value> {
    let map = &mut pod["metadata"][key];
    if !map.is_object() {
        *map = json!({});
    }
    map.as_object_mut()
        .expect("it was made a map one line above")
}

/// Sets a label or annotation.
pub(crate) fn set_metadata(pod: &mut Value, map: &str, key: &str, value: Value) {
    metadata(pod, map).insert(key.to_owned(), value);
}

/// Sets a label or annotation unless the pod has it.
fn default_metadata(pod: &mut Value, map: &str, key: &str, value: Value) {
    metadata(pod, map).entry(key).or_insert(value);
}
