//! Istio `VirtualService`: how requests for a host are routed.

use super::http_route::HttpRoute;
use super::status::Status;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How requests, connections and TLS connections for some hosts are routed.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "networking.istio.io",
    version = "v1",
    kind = "VirtualService",
    namespaced,
    shortname = "vs",
    category = "istio-io",
    category = "networking-istio-io",
    status = "Status",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Gateways","type":"string","jsonPath":".spec.gateways"}"#,
    printcolumn = r#"{"name":"Hosts","type":"string","jsonPath":".spec.hosts"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase", default)]
pub struct VirtualServiceSpec {
    /// Names that clients call; a short one is a Service of the object's namespace.
    pub hosts: Vec<String>,
    /// Gateways that it counts for; empty, or with `mesh`, for sidecars.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<String>,
    /// Namespaces that see it: `.`, `*` or names; empty is `*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub export_to: Vec<String>,
    /// Routes of requests; the first that matches counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpRoute>,
    /// Routes of TLS connections that are not opened.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tls: Vec<L4Route>,
    /// Routes of other connections.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tcp: Vec<L4Route>,
}

/// Istio `TLSRoute` and `TCPRoute`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct L4Route {
    /// One of these must match; empty matches all.
    #[serde(rename = "match", skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<L4Match>,
    /// Where connections go, by weight.
    pub route: Vec<L4Destination>,
}

/// Istio `TLSMatchAttributes` and `L4MatchAttributes`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct L4Match {
    /// SNI, with `*.` allowed; TLS only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sni_hosts: Vec<String>,
    /// Destination addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub destination_subnets: Vec<String>,
    /// Port of the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u32>,
    /// Labels of the client.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub source_labels: BTreeMap<String, String>,
    /// Gateways that it counts for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<String>,
    /// Namespace of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_namespace: Option<String>,
}

/// Istio `RouteDestination`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct L4Destination {
    /// Where to.
    pub destination: Destination,
    /// Share among the destinations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<i32>,
}

/// Istio `Destination`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Destination {
    /// Name of a service; a short one is of the object's namespace.
    pub host: String,
    /// Subset that a DestinationRule names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// Port of the service; needed if it has several and none is the one that was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<PortSelector>,
}

/// Istio `PortSelector`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct PortSelector {
    /// Number of the port.
    pub number: u32,
}
