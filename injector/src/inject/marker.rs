//! The annotation `weft.mesh/status`: what was added to a pod, and the way back.

use super::sidecar::Sidecar;
use super::{metrics, probes, volumes};
use k8s_openapi::api::core::v1::{Container, Pod};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use weft_api::injection::InjectionSettings;
use weft_api::labels;

/// Name of the init container.
pub const INIT: &str = "weft-init";
/// Name of the sidecar.
pub const PROXY: &str = "weft-proxy";

/// What the injector did to a pod.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Marker {
    /// Namespace of the mesh.
    pub mesh: String,
    /// Revision of the mesh.
    pub revision: String,
    /// Hash of the settings, equal for pods that were injected alike.
    pub template: String,
    /// Names of the init containers that were added.
    pub init_containers: Vec<String>,
    /// Names of the containers that were added.
    pub containers: Vec<String>,
    /// Names of the volumes that were added.
    pub volumes: Vec<String>,
    /// The pod's own `weft-proxy` container, as its author wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay: Option<Value>,
    /// The pod's own `prometheus.io/*` annotations, where they were redirected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<Map<String, Value>>,
}

impl Marker {
    /// The marker of an injected pod; an unreadable one counts as none. Anybody can write one: it
    /// only ever takes parts away that are then added again.
    pub fn of(pod: &Pod) -> Option<Self> {
        let text = pod.metadata.annotations.as_ref()?.get(labels::STATUS)?;
        let marker: Self = serde_json::from_str(text).ok()?;
        let is_container = |json: &Value| serde_json::from_value::<Container>(json.clone()).is_ok();
        marker
            .overlay
            .as_ref()
            .is_none_or(is_container)
            .then_some(marker)
    }

    /// Whether a container of this name is, or adjusts, one of ours.
    pub fn is_ours(name: &str) -> bool {
        canonical(name).is_some()
    }

    pub(super) fn new(
        sidecar: &Sidecar,
        overlay: Option<Value>,
        prometheus: Option<Map<String, Value>>,
    ) -> Self {
        let (mut init_containers, mut containers) = (vec![INIT.to_owned()], Vec::new());
        let shape = if sidecar.native {
            &mut init_containers
        } else {
            &mut containers
        };
        shape.push(PROXY.to_owned());
        Self {
            mesh: sidecar.settings.mesh_namespace.clone(),
            revision: sidecar.settings.revision.clone(),
            template: sidecar.hash.clone(),
            init_containers,
            containers,
            volumes: Vec::new(),
            overlay,
            prometheus,
        }
    }

    pub(super) fn add_containers(&mut self, added: Added) {
        self.init_containers.extend(added.init_containers);
        self.containers.extend(added.containers);
        self.volumes.extend(added.volumes);
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("a struct of texts and JSON values has a JSON form")
    }
}

/// Names of the parts that templates add besides our own containers.
#[derive(Debug, Default)]
pub(super) struct Added {
    pub(super) init_containers: Vec<String>,
    pub(super) containers: Vec<String>,
    pub(super) volumes: Vec<String>,
}

/// Our name of a container that is called so; Istio's names are aliases.
pub(super) fn canonical(name: &str) -> Option<&'static str> {
    match name {
        INIT | "istio-init" => Some(INIT),
        PROXY | "istio-proxy" => Some(PROXY),
        _ => None,
    }
}

/// Takes an injected pod back to what its author wrote. Labels and other annotations stay: they are
/// only set where the author set none, and would be set to the same again.
pub(super) fn strip(mut pod: Value, marker: &Marker) -> Value {
    let proxy = find(&pod, PROXY).cloned().unwrap_or_default();
    probes::restore(&mut pod, &proxy);
    if let Some(prometheus) = &marker.prometheus {
        metrics::restore(&mut pod, prometheus);
    }
    remove(&mut pod, "initContainers", |name| {
        name == INIT || name == PROXY || marker.init_containers.iter().any(|n| n == name)
    });
    remove(&mut pod, "containers", |name| {
        name == PROXY || marker.containers.iter().any(|n| n == name)
    });
    remove(&mut pod, "volumes", |name| {
        volumes::NAMES.contains(&name) || marker.volumes.iter().any(|n| n == name)
    });
    pod
}

fn find<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    let lists = ["initContainers", "containers"].map(|key| pod["spec"][key].as_array());
    lists
        .into_iter()
        .flatten()
        .flatten()
        .find(|container| container["name"] == name)
}

fn remove(pod: &mut Value, list: &str, ours: impl Fn(&str) -> bool) {
    if let Some(all) = pod["spec"].get_mut(list).and_then(Value::as_array_mut) {
        all.retain(|item| !item["name"].as_str().is_some_and(&ours));
    }
}

/// Sixteen hexadecimal digits that differ between settings.
pub(super) fn hash(settings: &InjectionSettings) -> String {
    let text = serde_json::to_vec(settings).expect("settings come from JSON and have a JSON form");
    Sha256::digest(&text)[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
