//! The mesh's templates: partial pods, merged part by part.
//!
//! A template's `weft-init` and `weft-proxy` (or Istio's names for them) change our containers. All
//! else is added to the pod where the pod has nothing of the kind itself.

use super::marker::{Added, INIT, PROXY, canonical};
use super::sidecar::Sidecar;
use super::{Parts, merge};
use crate::refused::Refused;
use serde_json::Value;
use weft_api::templates::SIDECAR;

/// Merges the templates that the pod wants, in order.
///
/// # Errors
/// If the pod wants one that does not exist.
pub(super) fn merge(
    parts: &mut Parts,
    pod: &mut Value,
    sidecar: &mut Sidecar,
) -> Result<Added, Refused> {
    let mut added = Added::default();
    for template in wanted(sidecar)? {
        let mut rest = template;
        for list in ["initContainers", "containers"] {
            for container in take_ours(&mut rest, list) {
                merge_container(parts, container, sidecar);
            }
        }
        note_new(pod, &rest, &mut added);
        merge::fill(pod, &rest);
    }
    Ok(added)
}

/// The built-in template stands first and counts even where nobody names it.
fn wanted(sidecar: &Sidecar) -> Result<Vec<Value>, Refused> {
    let all = &sidecar.settings.templates;
    let named = sidecar.templates.iter().filter(|name| *name != SIDECAR);
    let named = named.map(|name| all.get(name).cloned().ok_or_else(|| unknown(name, sidecar)));
    all.get(SIDECAR)
        .cloned()
        .map(Ok)
        .into_iter()
        .chain(named)
        .collect()
}

fn unknown(name: &str, sidecar: &Sidecar) -> Refused {
    let others = sidecar
        .settings
        .templates
        .keys()
        .filter(|name| *name != SIDECAR);
    let known: Vec<&str> = [SIDECAR]
        .into_iter()
        .chain(others.map(String::as_str))
        .collect();
    Refused::UnknownTemplate {
        name: name.to_owned(),
        known: known.join(", "),
    }
}

fn take_ours(template: &mut Value, list: &str) -> Vec<Value> {
    let Some(all) = template["spec"].get_mut(list).and_then(Value::as_array_mut) else {
        return Vec::new();
    };
    let is_ours = |c: &Value| c["name"].as_str().and_then(canonical).is_some();
    let (ours, others) = std::mem::take(all).into_iter().partition(is_ours);
    *all = others;
    ours
}

fn merge_container(parts: &mut Parts, mut container: Value, sidecar: &mut Sidecar) {
    if let Some(image) = istio_image(&container).filter(|_| !sidecar.keep_image) {
        sidecar.warnings.push(format!(
            "image {image} of the template is replaced by the mesh's own; annotate the pod weft.mesh/keep-image=true to keep it"
        ));
        if let Some(container) = container.as_object_mut() {
            container.shift_remove("image");
        }
    }
    let name = container["name"]
        .as_str()
        .and_then(canonical)
        .unwrap_or(PROXY);
    container["name"] = name.into();
    let base = if name == INIT {
        &mut parts.init
    } else {
        &mut parts.proxy
    };
    merge::overlay(base, &container);
}

/// Istio's own proxy image, such as `istio/proxyv2:1.16.0`, which cannot be run in our place.
fn istio_image(container: &Value) -> Option<String> {
    let image = container["image"].as_str()?;
    let last = image.rsplit('/').next()?;
    (last == "proxyv2" || last.starts_with("proxyv2:") || last.starts_with("proxyv2@"))
        .then(|| image.to_owned())
}

/// What the template adds under a name that the pod does not have, so that it can be taken away.
fn note_new(pod: &Value, template: &Value, added: &mut Added) {
    let names = |from: &Value, list: &str| -> Vec<String> {
        let all = from["spec"][list].as_array().into_iter().flatten();
        all.filter_map(|item| item["name"].as_str().map(str::to_owned))
            .collect()
    };
    let new = |list: &str| {
        let own = names(pod, list);
        names(template, list)
            .into_iter()
            .filter(move |name| !own.contains(name))
    };
    added.init_containers.extend(new("initContainers"));
    added.containers.extend(new("containers"));
    added.volumes.extend(new("volumes"));
}
