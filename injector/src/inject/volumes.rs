//! The volumes of the sidecar: its token, the mesh's roots, its state, what the pod says of itself.
//!
//! The token file stays readable for the proxy without a change of the pod's `fsGroup`: the kubelet
//! makes projected tokens private to one user only where all containers have the same one, and
//! `weft-init` and `weft-proxy` never have.

use super::{list, merge};
use serde_json::{Value, json};
use weft_api::injection::InjectionSettings;

/// Names of the volumes, which belong to the mesh.
pub(super) const NAMES: [&str; 4] = ["weft-token", "weft-roots", "weft-state", "weft-podinfo"];

/// Adds the volumes and tells their names.
pub(super) fn add(pod: &mut Value) -> Vec<String> {
    let all = list(pod, "volumes");
    all.retain(|volume| !NAMES.iter().any(|name| volume["name"] == *name));
    all.extend(volumes());
    NAMES.map(str::to_owned).to_vec()
}

fn volumes() -> [Value; 4] {
    let labels = |key: &str| {
        let path = format!("metadata.{key}");
        json!({"path": key, "fieldRef": {"apiVersion": "v1", "fieldPath": path}})
    };
    [
        json!({"name": "weft-token", "projected": {"sources": [{"serviceAccountToken":
            {"audience": "weft-ca", "expirationSeconds": 43200, "path": "token"}}]}}),
        json!({"name": "weft-roots", "configMap": {"name": "weft-ca-roots"}}),
        json!({"name": "weft-state", "emptyDir": {"medium": "Memory"}}),
        json!({"name": "weft-podinfo", "downwardAPI": {"items": [labels("labels"), labels("annotations")]}}),
    ]
}

/// Where the proxy sees them.
pub(super) fn mounts() -> Value {
    json!([
        {"name": "weft-token", "mountPath": "/var/run/secrets/weft/token", "readOnly": true},
        {"name": "weft-roots", "mountPath": "/var/run/secrets/weft/roots", "readOnly": true},
        {"name": "weft-state", "mountPath": "/var/lib/weft"},
        {"name": "weft-podinfo", "mountPath": "/etc/weft/podinfo", "readOnly": true},
    ])
}

/// Adds the secrets that the proxy's image needs to those of the pod.
pub(super) fn add_pull_secrets(pod: &mut Value, settings: &InjectionSettings) {
    if settings.image_pull_secrets.is_empty() {
        return;
    }
    let names = settings
        .image_pull_secrets
        .iter()
        .map(|name| json!({ "name": name }));
    let secrets = json!({"imagePullSecrets": names.collect::<Vec<_>>()});
    merge::fill(&mut pod["spec"], &secrets);
}
