//! The kubelet's probes of the application: asked through the proxy, because the kubelet is no
//! member of the mesh and STRICT would refuse it.

use super::Parts;
use super::containers::{HEALTH_PORT, env_text, set_env};
use super::marker::Marker;
use super::sidecar::Sidecar;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Name of the variable that tells the proxy what to ask the application.
const VARIABLE: &str = "WEFT_APP_PROBES";
/// Field of the container and last part of the path.
const PROBES: [(&str, &str); 3] = [
    ("livenessProbe", "livez"),
    ("readinessProbe", "readyz"),
    ("startupProbe", "startupz"),
];
const HANDLERS: [&str; 3] = ["httpGet", "tcpSocket", "grpc"];

/// Turns probes towards the proxy and tells it the original ones. Commands are left alone, as are
/// probes of other hosts and of ports that cannot be found.
pub(super) fn redirect(pod: &mut Value, parts: &mut Parts, sidecar: &mut Sidecar) {
    if !sidecar.settings.rewrite_probes {
        sidecar.warnings.extend(unprotected(pod));
        return;
    }
    let mut originals = BTreeMap::new();
    for container in containers(pod) {
        for (field, last) in PROBES {
            let path = path(container, last);
            match original(container, field) {
                None => {}
                Some(Err(warning)) => sidecar.warnings.push(warning),
                Some(Ok(probe)) => {
                    point_to_proxy(&mut container[field], &path);
                    originals.insert(path, probe);
                }
            }
        }
    }
    if !originals.is_empty() {
        set_env(&mut parts.proxy, VARIABLE, json!(originals).to_string());
    }
}

/// Puts the original probes back, as `proxy` remembers them.
pub(super) fn restore(pod: &mut Value, proxy: &Value) {
    let text = env_text(proxy, VARIABLE).unwrap_or_default();
    // Anybody can write the variable, so that it may be anything.
    let originals: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
    for container in containers(pod) {
        for (field, last) in PROBES {
            let Some(original) = originals.get(&path(container, last)) else {
                continue;
            };
            let Some(probe) = container.get_mut(field).and_then(Value::as_object_mut) else {
                continue;
            };
            probe.retain(|key, _| !HANDLERS.contains(&key.as_str()));
            let handler = |key: &str| Some((key.to_owned(), original.get(key)?.clone()));
            probe.extend(HANDLERS.into_iter().filter_map(handler));
        }
    }
}

fn path(container: &Value, last: &str) -> String {
    let name = container["name"].as_str().unwrap_or_default();
    format!("/app-health/{name}/{last}")
}

/// Containers that can have probes of the application: restartable init containers can too.
fn containers(pod: &mut Value) -> impl Iterator<Item = &mut Value> {
    let spec = pod["spec"].as_object_mut().into_iter();
    spec.flat_map(|spec| spec.iter_mut())
        .filter(|(key, _)| matches!(key.as_str(), "containers" | "initContainers"))
        .filter_map(|(_, list)| list.as_array_mut())
        .flatten()
        .filter(|c| !c["name"].as_str().is_some_and(Marker::is_ours))
}

/// The probe with a numeric port, if the proxy can ask it; the error is a warning for the user.
fn original(container: &Value, field: &str) -> Option<Result<Value, String>> {
    let probe = container.get(field)?;
    let handler = HANDLERS
        .into_iter()
        .find(|handler| probe[*handler].is_object())?;
    let host = probe[handler]["host"].as_str().unwrap_or_default();
    if !host.is_empty() {
        return None;
    }
    let name = &container["name"];
    let Some(number) = number(container, &probe[handler]["port"]) else {
        return Some(Err(format!(
            "{field} of container {name} names a port that the container does not have, so that it stays as it is and fails under STRICT; use a number or add the port"
        )));
    };
    let mut probe = probe.clone();
    probe[handler]["port"] = json!(number);
    // The API server writes keys in its own order, and injecting twice must give the same text.
    probe.sort_all_objects();
    Some(Ok(probe))
}

fn number(container: &Value, port: &Value) -> Option<u64> {
    let named = |name: &str| {
        let ports = container["ports"].as_array()?;
        ports.iter().find(|port| port["name"] == name)?["containerPort"].as_u64()
    };
    match port {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok().or_else(|| named(text)),
        _ => None,
    }
}

fn point_to_proxy(probe: &mut Value, path: &str) {
    let Some(probe) = probe.as_object_mut() else {
        return;
    };
    probe.retain(|key, _| !HANDLERS.contains(&key.as_str()));
    let handler = json!({"path": path, "port": HEALTH_PORT, "scheme": "HTTP"});
    probe.insert("httpGet".into(), handler);
}

/// Probes that STRICT would refuse.
fn unprotected(pod: &mut Value) -> Option<String> {
    let asked = containers(pod).any(|c| {
        PROBES
            .iter()
            .any(|(field, _)| HANDLERS.iter().any(|h| c[*field][*h].is_object()))
    });
    asked.then(|| {
        "probes are not asked through the proxy, so that they fail under mTLS mode STRICT; remove the annotation weft.mesh/rewrite-probes or exclude the probe's port from capture".into()
    })
}
