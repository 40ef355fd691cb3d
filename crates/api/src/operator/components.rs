//! Programs of the mesh and how Kubernetes runs them; Istio's `components` and `KubernetesResources`.

use super::{ImagePullPolicy, schema};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What the API server checks of a [`Resources`], each with what the user reads.
const RESOURCES_RULES: &[(&str, &str)] = &[
    (
        "!has(self.requests) || !has(self.limits) || !('cpu' in self.requests) || !('cpu' in self.limits) || quantity(string(self.requests['cpu'])).compareTo(quantity(string(self.limits['cpu']))) <= 0",
        "requests.cpu exceeds limits.cpu; lower the request or raise the limit",
    ),
    (
        "!has(self.requests) || !has(self.limits) || !('memory' in self.requests) || !('memory' in self.limits) || quantity(string(self.requests['memory'])).compareTo(quantity(string(self.limits['memory']))) <= 0",
        "requests.memory exceeds limits.memory; lower the request or raise the limit",
    ),
];

/// The programs of the mesh.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct Components {
    /// The control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pilot: Option<Component>,
    /// The webhook that adds sidecars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub injector: Option<Component>,
    /// The node plugin that captures traffic in place of an init container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cni: Option<Cni>,
    /// Proxies at the edge, for traffic that comes in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub ingress_gateways: Vec<Gateway>,
    /// Proxies at the edge, for traffic that goes out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub egress_gateways: Vec<Gateway>,
    /// Istio's components that Weft does not have; a condition names them.
    #[serde(flatten)]
    #[schemars(skip)]
    pub other: BTreeMap<String, Value>,
}

/// One program.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// Whether it runs; it does if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Registry and path in place of `spec.hub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub hub: Option<String>,
    /// Tag in place of `spec.tag`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::int_or_string")]
    pub tag: Option<IntOrString>,
    /// How Kubernetes runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k8s: Option<KubernetesResources>,
}

/// The node plugin.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cni {
    /// Whether it runs; it does not if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Directory of plugins on the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub cni_bin_dir: Option<String>,
    /// Directory of network configurations on the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub cni_conf_dir: Option<String>,
    /// What happens to pods that started before the plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<CniRepair>,
    /// How Kubernetes runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k8s: Option<KubernetesResources>,
}

/// What happens to pods whose traffic is not captured.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum CniRepair {
    /// They get a label.
    Label,
    /// They are deleted.
    Delete,
    /// Nothing.
    None,
}

/// A proxy at the edge.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gateway {
    /// Name of its Deployment and Service.
    #[schemars(schema_with = "schema::name")]
    pub name: String,
    /// Whether it runs; it does if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Namespace in place of the mesh's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::name")]
    pub namespace: Option<String>,
    /// Labels of its pods, which `Gateway` objects select.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::strings_by_name")]
    pub label: BTreeMap<String, String>,
    /// Gateway API class that it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub gateway_class_name: Option<String>,
    /// When it gets a new version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_wave: Option<GatewayWave>,
    /// How Kubernetes runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k8s: Option<KubernetesResources>,
}

/// When a gateway gets a new version.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum GatewayWave {
    /// Before any sidecar.
    BeforeWorkloads,
    /// After all sidecars.
    AfterWorkloads,
}

/// Istio's `KubernetesResources`: how Kubernetes runs one program.
///
/// Kubernetes' own types are not repeated in the schema; the operator reads them when it renders
/// and reports a field that it cannot read.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesResources {
    /// Requests and limits of the main container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Pods; a HorizontalPodAutoscaler takes over where `hpaSpec` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub replica_count: Option<i32>,
    /// `HorizontalPodAutoscalerSpec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub hpa_spec: Option<Value>,
    /// `PodDisruptionBudgetSpec` without a selector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub pod_disruption_budget: Option<Value>,
    /// `Affinity` of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub affinity: Option<Value>,
    /// Further environment of the main container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub env: Vec<EnvironmentVariable>,
    /// In place of `spec.imagePullPolicy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,
    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::strings_by_name")]
    pub node_selector: BTreeMap<String, String>,
    /// Further annotations of the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::strings_by_name")]
    pub pod_annotations: BTreeMap<String, String>,
    /// Further labels of the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::strings_by_name")]
    pub pod_labels: BTreeMap<String, String>,
    /// PriorityClass of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub priority_class_name: Option<String>,
    /// `Probe` in place of the built-in readiness probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub readiness_probe: Option<Value>,
    /// `ServiceSpec`, merged over the built-in Service, whose selector and ports stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub service: Option<Value>,
    /// Annotations of the Service.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::strings_by_name")]
    pub service_annotations: BTreeMap<String, String>,
    /// `DeploymentStrategy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub strategy: Option<Value>,
    /// `PodSecurityContext`, merged over the built-in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub security_context: Option<Value>,
    /// `Toleration`s of the pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::any_objects")]
    pub tolerations: Vec<Value>,
    /// `TopologySpreadConstraint`s in place of the built-in spread over nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::any_objects")]
    pub topology_spread_constraints: Vec<Value>,
    /// Further `Volume`s of the pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::any_objects")]
    pub volumes: Vec<Value>,
    /// Further `VolumeMount`s of the main container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::any_objects")]
    pub volume_mounts: Vec<Value>,
    /// Last changes to rendered objects, by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub overlays: Vec<Overlay>,
}

/// Requests and limits, as far as users write them.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[schemars(extend("x-kubernetes-validations" = schema::rules(RESOURCES_RULES)))]
pub struct Resources {
    /// What a node must have free.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::quantities")]
    pub requests: BTreeMap<String, IntOrString>,
    /// What the container may use at most.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::quantities")]
    pub limits: BTreeMap<String, IntOrString>,
}

/// `amount` as Kubernetes writes it.
pub fn quantity(amount: &IntOrString) -> Quantity {
    match amount {
        IntOrString::Int(number) => Quantity(number.to_string()),
        IntOrString::String(text) => Quantity(text.clone()),
    }
}

/// One variable of a container's environment.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentVariable {
    /// Its name.
    #[schemars(length(max = 128))]
    pub name: String,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub value: Option<String>,
    /// `EnvVarSource` in place of a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub value_from: Option<Value>,
}

/// Istio's `K8sObjectOverlay`: changes to one rendered object.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overlay {
    /// Such as `apps/v1`; not compared if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub api_version: Option<String>,
    /// Such as `Deployment`.
    #[schemars(length(max = 63))]
    pub kind: String,
    /// Name of the object; all of the kind if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,
    /// The changes, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub patches: Vec<OverlayPatch>,
}

/// Istio's `K8sObjectOverlay.PathValue`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct OverlayPatch {
    /// Such as `spec.template.spec.containers.[name:weft-control].args.[0]`.
    #[schemars(length(max = 512))]
    pub path: String,
    /// New value; absent removes what is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_value")]
    pub value: Option<Value>,
}
