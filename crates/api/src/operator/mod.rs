//! The `weft.mesh` group: `MeshOperator`, the one object that describes a mesh.
//!
//! No field has a default in its schema. What the user did not write stays absent, so that a
//! profile or `values` can still decide it; the operator resolves, and says in the status what it
//! resolved to. Fields that Istio's `IstioOperator` has keep its names, nesting and meaning.

mod addons;
mod certificates;
mod components;
mod data_plane;
mod duration;
mod injection;
mod mesh_config;
mod proxy;
mod schema;
mod status;
mod update;

pub use addons::*;
pub use certificates::*;
pub use components::*;
pub use data_plane::*;
pub use duration::{Duration, NotADuration};
pub use injection::*;
pub use mesh_config::*;
pub use proxy::*;
pub use status::*;
pub use update::*;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{CustomResource, CustomResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What the API server checks of a [`MeshOperatorSpec`], each with what the user reads.
const SPEC_RULES: &[(&str, &str)] = &[
    (
        "(has(self.__namespace__) ? self.__namespace__ : 'weft-system') == (has(oldSelf.__namespace__) ? oldSelf.__namespace__ : 'weft-system')",
        "spec.namespace cannot change; create a second MeshOperator in the other namespace and remove this one",
    ),
    (
        "self.?profile.orValue('default') != 'production' || self.?components.?pilot.?k8s.?replicaCount.orValue(2) >= 2",
        "spec.components.pilot.k8s.replicaCount must be 2 or more in profile production; raise it or use another profile",
    ),
    (
        "self.?injection.?interception.?mode.orValue('InitContainer') != 'CNI' || self.?components.?cni.?enabled.orValue(false)",
        "spec.injection.interception.mode CNI needs spec.components.cni.enabled: true",
    ),
    (
        "has(oldSelf.meshConfig) || !has(self.meshConfig) || !has(self.meshConfig.trustDomain) || self.meshConfig.trustDomain == 'cluster.local' || (has(self.meshConfig.trustDomainAliases) && 'cluster.local' in self.meshConfig.trustDomainAliases)",
        "spec.meshConfig.trustDomain changes while proxies still have the old one; add the old one to spec.meshConfig.trustDomainAliases",
    ),
    (
        "has(self.meshConfig) || !has(oldSelf.meshConfig) || !has(oldSelf.meshConfig.trustDomain) || oldSelf.meshConfig.trustDomain == 'cluster.local'",
        "spec.meshConfig.trustDomain changes while proxies still have the old one; add the old one to spec.meshConfig.trustDomainAliases",
    ),
];

/// Namespace of the mesh where `spec.namespace` is absent.
pub const DEFAULT_NAMESPACE: &str = "weft-system";

/// The definitions of all kinds of this group.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![MeshOperator::crd()]
}

/// One mesh: its version, its control plane, its proxies, and how all of them change.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "weft.mesh",
    version = "v1alpha1",
    kind = "MeshOperator",
    shortname = "mesh",
    shortname = "mop",
    category = "weft",
    status = "MeshOperatorStatus",
    derive = "PartialEq",
    derive = "Default",
    selectable = ".spec.version",
    selectable = ".status.phase",
    annotation("helm.sh/resource-policy", "keep"),
    label("app.kubernetes.io/part-of", "weft"),
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".status.version.stable"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Proxies","type":"integer","jsonPath":".status.dataPlane.proxies"}"#,
    printcolumn = r#"{"name":"Injection","type":"string","jsonPath":".status.conditions[?(@.type==\"InjectionHealthy\")].status","priority":1}"#,
    printcolumn = r#"{"name":"CA-Expiry","type":"string","jsonPath":".status.ca.issuerNotAfter","priority":1}"#,
    printcolumn = r#"{"name":"Message","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message","priority":1}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    validation = kube::core::Rule::new("size(self.metadata.name) <= 40")
        .message("metadata.name is part of the names of other objects; use at most 40 characters")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::rules(SPEC_RULES)))]
pub struct MeshOperatorSpec {
    /// Starting point for everything that is not set here; Istio's names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Exact version (`0.1.0`) or moving patch alias (`0.1-latest`). Absent: the newest version
    /// that the operator knew when it first installed the mesh; a newer operator never moves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 64),
        regex(pattern = r"^v?[0-9]+\.[0-9]+(\.[0-9]+(-[0-9A-Za-z.-]+)?|-latest)$")
    )]
    pub version: Option<String>,
    /// Moves the version by itself, inside maintenance windows only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Whether `version` may go back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_downgrade: Option<bool>,
    /// Namespace of the control plane and root namespace of the mesh; `weft-system` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::name")]
    pub namespace: Option<String>,
    /// Registry and path of all images; absent: where the operator's own image came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub hub: Option<String>,
    /// Tag of all images; absent: that of the operator's own image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::int_or_string")]
    pub tag: Option<IntOrString>,
    /// Of all images, also the proxies'; `IfNotPresent` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,
    /// Secrets with registry credentials, in the mesh's namespace and in those of injected pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::names")]
    pub image_pull_secrets: Vec<String>,
    /// Stops every write of the operator but the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// `ObserveOnly` writes nothing and lists in the status what would change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management: Option<Management>,
    /// How a new version comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_strategy: Option<UpdateStrategy>,
    /// How a new version reaches the proxies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_plane: Option<DataPlane>,
    /// The programs of the mesh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub components: Option<Components>,
    /// The sidecar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
    /// Who gets a sidecar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub injection: Option<Injection>,
    /// Istio's `meshConfig`; keys without a field here are kept and reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh_config: Option<MeshConfig>,
    /// The certificate authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<Ca>,
    /// The certificate that the injector shows to the API server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_certificate: Option<WebhookCertificate>,
    /// What is connected to the mesh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addons: Option<Addons>,
    /// What happens when this object is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uninstall: Option<Uninstall>,
    /// Istio's `values`: known keys are used where no field above is set, others are reported.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::any_object")]
    pub values: BTreeMap<String, Value>,
}

/// Istio's configuration profiles.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Nothing beyond what is set.
    Empty,
    /// The control plane alone.
    Minimal,
    /// For most clusters.
    #[default]
    Default,
    /// One replica, access logs and all traces: for trying out.
    Demo,
    /// Two replicas or more.
    Production,
}

/// How far the version moves by itself.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Channel {
    /// Not at all.
    #[default]
    None,
    /// Patch versions.
    Patch,
    /// Minor versions.
    Minor,
}

/// Kubernetes' `imagePullPolicy`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum ImagePullPolicy {
    /// At every start.
    Always,
    /// Once a node.
    #[default]
    IfNotPresent,
    /// Images must be there.
    Never,
}

impl ImagePullPolicy {
    /// The value of the field in a container.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

/// Whether the operator writes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Management {
    /// The operator makes the cluster as this object says.
    #[default]
    Managed,
    /// The operator only tells what it would change.
    ObserveOnly,
}

#[cfg(test)]
mod tests;
