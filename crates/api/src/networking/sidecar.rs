//! Istio `Sidecar`: what the proxies of some workloads know, accept and let out.

use super::service_entry::WorkloadSelector;
use super::status::Status;
use super::traffic_policy::ConnectionPool;
use super::virtual_service::Destination;
use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the proxies of some workloads know, accept and let out.
///
/// Without a selector it counts for its namespace, in the root namespace for the mesh.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "networking.istio.io",
    version = "v1",
    kind = "Sidecar",
    namespaced,
    category = "istio-io",
    category = "networking-istio-io",
    status = "Status",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase", default)]
pub struct SidecarSpec {
    /// Pods that it counts for; absent for all that no other selects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_selector: Option<WorkloadSelector>,
    /// What the workload accepts, instead of what Services lead to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ingress: Vec<Ingress>,
    /// What the workload knows; everything if absent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<Egress>,
    /// Limits of connections to the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbound_connection_pool: Option<ConnectionPool>,
    /// What happens to destinations that it does not know; as the mesh has it if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbound_traffic_policy: Option<OutboundTrafficPolicy>,
}

/// Istio `IstioIngressListener`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ingress {
    /// The port of the pod.
    pub port: SidecarPort,
    /// An address to listen on.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub bind: String,
    /// Whether traffic is captured.
    pub capture_mode: CaptureMode,
    /// Where the application listens: `127.0.0.1:<port>`, `[::1]:<port>`, `0.0.0.0:<port>` or
    /// `[::]:<port>`; the port itself if absent.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub default_endpoint: String,
    /// TLS of the listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub tls: Option<Value>,
    /// Limits of connections to the application on this port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_pool: Option<ConnectionPool>,
}

/// Istio `IstioEgressListener`.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Egress {
    /// The only port that it is for; every port if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<SidecarPort>,
    /// An address to listen on.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub bind: String,
    /// Whether traffic is captured.
    pub capture_mode: CaptureMode,
    /// Services as `namespace/name`: the namespace a name, `.`, `*` or `~`, the name with `*.` or `*`.
    pub hosts: Vec<String>,
}

/// Istio `SidecarPort`.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SidecarPort {
    /// Its number.
    pub number: u32,
    /// What it speaks.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub protocol: String,
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// Istio `CaptureMode`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CaptureMode {
    /// As the mesh has it: captured.
    #[default]
    Default,
    /// Captured.
    Iptables,
    /// The application connects to the listener by itself.
    None,
}

/// Istio `OutboundTrafficPolicy`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OutboundTrafficPolicy {
    /// Whether they are reached; an object without a mode says that they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<OutboundTrafficMode>,
    /// A service through which they are reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress_proxy: Option<Destination>,
}

/// Istio `OutboundTrafficPolicy.Mode`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OutboundTrafficMode {
    /// What the proxy does not know ends there.
    #[default]
    RegistryOnly,
    /// It passes.
    AllowAny,
    /// It passes, by the name that is asked for.
    AllowAnyDynamicDns,
}

/// Settings that nobody reads, kept as they are.
fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}
