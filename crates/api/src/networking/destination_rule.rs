//! Istio `DestinationRule`: how a service is reached, after routing.

use super::selector::Selector;
use super::status::Status;
use super::traffic_policy::TrafficPolicy;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a service is reached: load balancing, limits, outlier detection, TLS, and its subsets.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "networking.istio.io",
    version = "v1",
    kind = "DestinationRule",
    namespaced,
    shortname = "dr",
    category = "istio-io",
    category = "networking-istio-io",
    status = "Status",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Host","type":"string","jsonPath":".spec.host"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase", default)]
pub struct DestinationRuleSpec {
    /// Name of the service; a short one is of the object's namespace, `*.` is allowed.
    pub host: String,
    /// How all of it is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic_policy: Option<TrafficPolicy>,
    /// Named parts of its endpoints.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subsets: Vec<Subset>,
    /// Namespaces that see it: `.`, `*` or names; empty is `*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub export_to: Vec<String>,
    /// Clients that it counts for; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_selector: Option<Selector>,
}

/// Istio `Subset`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Subset {
    /// Its name, which VirtualServices use.
    pub name: String,
    /// Labels of its pods.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What differs from the policy of the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic_policy: Option<TrafficPolicy>,
}
