//! Istio `ServiceEntry`: a service that Kubernetes does not know.

use super::workload_entry::WorkloadEntrySpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A service that Kubernetes does not know: an API outside the cluster, virtual machines.
#[derive(
    Clone, CustomResource, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize,
)]
#[kube(
    group = "networking.istio.io",
    version = "v1",
    kind = "ServiceEntry",
    plural = "serviceentries",
    namespaced,
    shortname = "se",
    category = "istio-io",
    category = "networking-istio-io",
    status = "EntryStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Hosts","type":"string","jsonPath":".spec.hosts"}"#,
    printcolumn = r#"{"name":"Location","type":"string","jsonPath":".spec.location"}"#,
    printcolumn = r#"{"name":"Resolution","type":"string","jsonPath":".spec.resolution"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    validation = kube::core::Rule::new(
        "!has(self.spec) || !(has(self.spec.workloadSelector) && has(self.spec.endpoints))"
    ).message("workloadSelector and endpoints exclude each other"),
    validation = kube::core::Rule::new(
        "!has(self.spec) || !has(self.spec.addresses) || !self.spec.addresses.exists(a, a.contains('/')) || !has(self.spec.resolution) || self.spec.resolution in ['NONE', 'STATIC']"
    ).message("ranges in addresses need resolution NONE or STATIC"),
    validation = kube::core::Rule::new(
        "!has(self.spec) || !has(self.spec.endpoints) || (has(self.spec.resolution) && self.spec.resolution != 'NONE')"
    ).message("endpoints need resolution STATIC or DNS"),
    validation = kube::core::Rule::new(
        "!has(self.spec) || !has(self.spec.endpoints) || !has(self.spec.resolution) || self.spec.resolution != 'DNS_ROUND_ROBIN' || size(self.spec.endpoints) <= 1"
    ).message("resolution DNS_ROUND_ROBIN takes one endpoint")
)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceEntrySpec {
    /// Its names; `*.` stands for all names below.
    #[schemars(length(max = 256), inner(length(max = 253)))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self.all(host, host != '*')", "message": "a host may be a name or begin with `*.`, not be `*` alone"}]))]
    pub hosts: Vec<String>,
    /// Its addresses, or ranges of them; if there are none, a proxy may be given one by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 64)))]
    pub addresses: Vec<String>,
    /// Its ports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub ports: Vec<EntryPort>,
    /// Whether it is part of the mesh.
    pub location: Location,
    /// How its endpoints are found.
    pub resolution: Resolution,
    /// Its endpoints; by DNS, its hosts themselves if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4096))]
    pub endpoints: Vec<WorkloadEntrySpec>,
    /// Its endpoints by label: WorkloadEntries and pods of its namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_selector: Option<WorkloadSelector>,
    /// Namespaces that see it: `.`, `*` or names; empty is `*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub export_to: Vec<String>,
    /// Names in the certificates of its servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subject_alt_names: Vec<String>,
}

/// Istio `ServicePort`.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EntryPort {
    /// Its number.
    pub number: u32,
    /// What it speaks: `HTTP`, `HTTPS`, `GRPC`, `HTTP2`, `MONGO`, `TCP` or `TLS`.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 256))]
    pub protocol: String,
    /// Its name.
    #[schemars(length(max = 256))]
    pub name: String,
    /// The port of the endpoints, default `number`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_port: Option<u32>,
}

/// Istio `ServiceEntry.Location`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Location {
    /// Outside: nobody there speaks the mesh's mutual TLS.
    #[default]
    MeshExternal,
    /// Part of the mesh.
    MeshInternal,
}

/// Istio `ServiceEntry.Resolution`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Resolution {
    /// Connections go to the address that the client has found.
    #[default]
    None,
    /// To the endpoints' addresses.
    Static,
    /// To all addresses that DNS has for the endpoints.
    Dns,
    /// To the first address that DNS has.
    DnsRoundRobin,
    /// To what DNS has for the name that the client asks for, under a wildcard.
    DynamicDns,
}

/// Istio `WorkloadSelector` of the networking kinds.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadSelector {
    /// Labels that a workload must have, all of them; no wildcards.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// Istio `ServiceEntryStatus`, as far as Weft writes it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryStatus {
    /// What the mesh made of the object; one condition of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Generation of the object that the conditions are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Addresses that were given to hosts without their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<EntryAddress>,
}

/// Istio `ServiceEntryAddress`.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EntryAddress {
    /// The address.
    pub value: String,
    /// Which host it stands for.
    pub host: String,
}
