//! How a new version reaches the proxies.

use super::{Analysis, Duration, schema};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the API server checks of a [`DataPlaneUpdate`], each with what the user reads.
const DATA_PLANE_UPDATE_RULES: &[(&str, &str)] = &[(
    "self.?mode.orValue('Automatic') != 'Automatic' || self.?method.orValue('Auto') != 'Restart' || !has(self.maxUnavailable) || !(string(self.maxUnavailable) in ['0', '0%'])",
    "dataPlane.update.maxUnavailable 0 lets nothing restart; use 1 or more, or method InPlaceImage",
)];

/// The proxies of the mesh.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct DataPlane {
    /// How they get a new version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<DataPlaneUpdate>,
}

/// How proxies get a new version.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::rules(DATA_PLANE_UPDATE_RULES)))]
pub struct DataPlaneUpdate {
    /// Who starts it; `Automatic` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<DataPlaneMode>,
    /// Restart of the pod or new image in the running pod; `Auto` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<UpdateMethod>,
    /// Stops between two workloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// Workloads at once; 1 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_concurrent_workloads: Option<i32>,
    /// Pods of a workload that may be away at once; 1 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::count_or_percent")]
    pub max_unavailable: Option<IntOrString>,
    /// Pods that the operator evicts in a minute, for whatever reason; 60 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub max_pods_per_minute: Option<i32>,
    /// Seconds that a new pod must be ready; 15 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub min_ready_seconds: Option<i32>,
    /// Yes if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub respect_pod_disruption_budgets: Option<bool>,
    /// Whether a workload of one pod is left alone where it cannot have a second; yes if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_surge: Option<bool>,
    /// Longest time for one workload; 10m if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_timeout: Option<Duration>,
    /// Failed workloads until a wave has failed; 1 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::count_or_percent")]
    pub failure_threshold: Option<IntOrString>,
    /// Workloads that are left alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::label_selectors")]
    pub exclude: Vec<LabelSelector>,
    /// The order; 5 %, 25 %, 100 % if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "waves")]
    pub waves: Vec<Wave>,
}

/// Who starts an update of proxies.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum DataPlaneMode {
    /// The operator.
    Automatic,
    /// The user, by an annotation on the workload.
    Manual,
    /// Nobody: new pods get the new proxy.
    OnRestart,
}

/// How a pod gets a new proxy.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum UpdateMethod {
    /// In place where the pod allows it.
    Auto,
    /// A new pod.
    Restart,
    /// The image of the native sidecar is changed, the application goes on.
    InPlaceImage,
}

/// A step of an update.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wave {
    /// Its name in the status.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Share of all workloads that have the new version after this wave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub percent: Option<i32>,
    /// Namespaces of this wave, in place of a share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub namespace_selector: Option<LabelSelector>,
    /// Workloads of those namespaces; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub workload_selector: Option<LabelSelector>,
    /// Time after the wave; 5m if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Duration>,
    /// Whether it waits for the annotation `weft.mesh/approve-wave` on the MeshOperator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_approval: Option<bool>,
    /// How it is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<Analysis>,
}

/// A bounded list of [`Wave`]s that reaches every workload.
fn waves(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let wave = generator.subschema_for::<Wave>();
    schemars::json_schema!({
        "type": "array",
        "maxItems": 32,
        "items": wave,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "x-kubernetes-validations": [
            {
                "rule": "self.all(w, has(w.percent) != has(w.namespaceSelector))",
                "message": "each wave needs percent or namespaceSelector, not both; remove one",
            },
            {
                "rule": "!self.exists(w, has(w.percent)) || self.exists(w, has(w.percent) && w.percent == 100)",
                "message": "waves by percent never reach every workload; give the last one percent: 100",
            },
        ],
    })
}
