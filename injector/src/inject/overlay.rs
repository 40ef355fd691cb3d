//! A container `weft-proxy` (or `istio-proxy` with image `auto`) that the pod's author wrote: not a
//! container of its own but wishes for the sidecar.

use super::marker::{PROXY, canonical};
use super::{Parts, merge};
use crate::refused::Refused;
use serde_json::Value;
use weft_api::injection::InjectionSettings;

/// Fields that make the proxy another program, user or identity.
const NEVER: [&str; 6] = [
    "command",
    "args",
    "securityContext",
    "restartPolicy",
    "envFrom",
    "volumeDevices",
];
/// Settings of the proxy that a pod may change; the mesh's others and the loader's are not among them.
const VARIABLES: [&str; 6] = [
    "WEFT_CONCURRENCY",
    "WEFT_LOG",
    "WEFT_LOG_FORMAT",
    "WEFT_DRAIN",
    "WEFT_MINIMUM_DRAIN",
    "WEFT_CERT_TTL",
];

/// Takes such a container out of the pod.
pub(super) fn take(pod: &mut Value) -> Option<Value> {
    ["containers", "initContainers"]
        .into_iter()
        .find_map(|list| {
            let all = pod["spec"].get_mut(list)?.as_array_mut()?;
            let is_proxy = |c: &Value| c["name"].as_str().and_then(canonical) == Some(PROXY);
            let index = all.iter().position(is_proxy)?;
            Some(all.remove(index))
        })
}

/// Merges it over the sidecar.
///
/// # Errors
/// If it sets something that a pod may not change.
pub(super) fn apply(
    parts: &mut Parts,
    overlay: &Value,
    settings: &InjectionSettings,
) -> Result<(), Refused> {
    let denied = |field: String| Refused::DeniedField {
        container: overlay["name"].as_str().unwrap_or(PROXY).to_owned(),
        field,
    };
    let mut wishes = overlay.clone();
    if wishes["image"] == "auto" {
        wishes["image"] = parts.proxy["image"].clone();
    }
    let never = NEVER.iter().map(|field| (*field).to_owned());
    let mut fields = never.chain(settings.overrides.deny_fields.iter().cloned());
    if let Some(field) = fields.find(|field| differs(&parts.proxy, &wishes, field)) {
        return Err(denied(field));
    }
    let taken = reserved_variable(&parts.proxy, &wishes);
    if let Some(field) = taken.or_else(|| covering_mount(&parts.proxy, &wishes)) {
        return Err(denied(field));
    }
    wishes["name"] = PROXY.into();
    drop_account_token(&mut wishes);
    merge::overlay(&mut parts.proxy, &wishes);
    Ok(())
}

/// Kubernetes mounts the account's token into every container that it sees; the proxy has its own.
fn drop_account_token(wishes: &mut Value) {
    const PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
    if let Some(mounts) = wishes.get_mut("volumeMounts").and_then(Value::as_array_mut) {
        mounts.retain(|mount| mount["mountPath"] != PATH);
    }
}

/// Whether `wishes` want another value at a path such as `securityContext.privileged`. An empty map
/// is what the API server makes of an absent one.
fn differs(proxy: &Value, wishes: &Value, path: &str) -> bool {
    let at = |from: &Value| {
        path.split('.')
            .fold(from.clone(), |value, key| value[key].clone())
    };
    let wish = at(wishes);
    let empty = wish.is_null() || wish.as_object().is_some_and(serde_json::Map::is_empty);
    !empty && wish != at(proxy)
}

/// A variable that belongs to the mesh, or that changes how programs are loaded.
fn reserved_variable(proxy: &Value, wishes: &Value) -> Option<String> {
    let is_ours = |name: &str| {
        let taken = items(proxy, "env").any(|own| own["name"] == name);
        taken || name.starts_with("WEFT_") || name.starts_with("LD_")
    };
    items(wishes, "env")
        .filter_map(|variable| variable["name"].as_str())
        .find(|name| is_ours(name) && !VARIABLES.contains(name))
        .map(|name| format!("env {name}"))
}

/// A mount at or above one of the mesh's.
fn covering_mount(proxy: &Value, wishes: &Value) -> Option<String> {
    let covers = |path: &str| {
        let path = path.trim_end_matches('/');
        items(proxy, "volumeMounts")
            .filter_map(|own| own["mountPath"].as_str()?.strip_prefix(path))
            .any(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    items(wishes, "volumeMounts")
        .filter_map(|mount| mount["mountPath"].as_str())
        .find(|path| covers(path))
        .map(|path| format!("volumeMounts {path}"))
}

fn items<'a>(container: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    container[list].as_array().into_iter().flatten()
}
