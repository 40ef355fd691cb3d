//! What the operator tells about a mesh.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator made of the spec.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MeshOperatorStatus {
    /// Generation that everything here is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The state in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// One condition of each type; `docs/conditions.md` lists types and reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Versions of the mesh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionStatus>,
    /// Revision whose control plane the proxies use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable_revision: Option<String>,
    /// Revision that is being brought up, or the stable one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_revision: Option<String>,
    /// Control planes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub revisions: Vec<RevisionStatus>,
    /// Proxies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_plane: Option<DataPlaneStatus>,
    /// The webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub injection: Option<InjectionStatus>,
    /// The certificate authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<CaStatus>,
}

/// The state of a mesh in one word.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Phase {
    /// Nothing was done yet.
    Pending,
    /// Checks before an update.
    Preflight,
    /// The first control plane is coming up.
    Installing,
    /// Everything is as the spec says.
    Ready,
    /// The mesh serves, but something is not as the spec says.
    Degraded,
    /// A new version is coming.
    Upgrading,
    /// The old version is coming back.
    RollingBack,
    /// Nothing is written, as the spec asks.
    Paused,
    /// Something that only a person can change is in the way.
    Blocked,
    /// The mesh is being removed.
    Uninstalling,
    /// The operator gave up.
    Failed,
}

/// Versions of a mesh.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct VersionStatus {
    /// What the spec asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<String>,
    /// What the proxies use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<String>,
    /// What is coming.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updating: Option<String>,
    /// What an absent `spec.version` stands for since the first installation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<String>,
    /// Versions that were rolled back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub blocked: Vec<String>,
    /// The operator's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
}

/// One control plane.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RevisionStatus {
    /// Such as `0-1-0`.
    pub name: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether all its programs are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// Whether proxies use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_use: Option<bool>,
    /// How many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxies: Option<i64>,
}

/// Proxies of a mesh.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataPlaneStatus {
    /// Injected pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxies: Option<i64>,
    /// Those of the stable revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to_date: Option<i64>,
    /// The others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outdated: Option<i64>,
}

/// The webhook.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InjectionStatus {
    /// What the API server does with a pod while no injector answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_failure_policy: Option<String>,
    /// Since when no injector answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage_since: Option<Time>,
    /// Since when pods may have started without a sidecar; until all of them are replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted_since: Option<Time>,
    /// The end of that time; absent while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted_until: Option<Time>,
    /// Pods of that time that still have no sidecar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<i64>,
    /// Injectors that are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_endpoints: Option<i64>,
    /// End of the webhook's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_not_after: Option<Time>,
}

/// The certificate authority.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CaStatus {
    /// Who signs the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// SHA-256 of each trusted root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub root_fingerprints: Vec<String>,
    /// End of the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_not_after: Option<Time>,
    /// End of the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_not_after: Option<Time>,
}
