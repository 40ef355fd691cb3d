//! Istio `PeerAuthentication`: which connections a workload accepts.

use crate::networking::selector::Selector;
use crate::networking::status::Status;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which connections workloads accept: plaintext, mutual TLS or both.
///
/// Without a selector it counts for its namespace, in the root namespace for the mesh.
#[derive(
    Clone, CustomResource, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize,
)]
#[kube(
    group = "security.istio.io",
    version = "v1",
    kind = "PeerAuthentication",
    namespaced,
    shortname = "pa",
    category = "istio-io",
    category = "security-istio-io",
    status = "Status",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Mode","type":"string","jsonPath":".spec.mtls.mode"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    validation = kube::core::Rule::new(
        "!has(self.spec) || !has(self.spec.portLevelMtls) || (has(self.spec.selector) && has(self.spec.selector.matchLabels) && size(self.spec.selector.matchLabels) > 0)"
    ).message("portLevelMtls needs a selector with matchLabels")
)]
#[serde(rename_all = "camelCase")]
pub struct PeerAuthenticationSpec {
    /// Pods that this counts for; absent for all of the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
    /// Mode of all ports without their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtls: Option<MutualTls>,
    /// Mode by port of the workload, not of the Service.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub port_level_mtls: BTreeMap<String, MutualTls>,
}

/// Istio `PeerAuthentication.MutualTLS`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct MutualTls {
    /// Which connections are accepted.
    #[serde(default)]
    pub mode: MutualTlsMode,
}

/// Istio `PeerAuthentication.MutualTLS.Mode`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MutualTlsMode {
    /// The mode of the level above.
    #[default]
    Unset,
    /// Plaintext; TLS is the application's own.
    Disable,
    /// Both.
    Permissive,
    /// Mutual TLS only.
    Strict,
}
