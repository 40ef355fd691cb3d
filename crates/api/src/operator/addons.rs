//! What is connected to the mesh, and what happens at its end.

use super::{Duration, schema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is connected to the mesh.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Addons {
    /// Metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<Prometheus>,
    /// Traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jaeger: Option<Jaeger>,
    /// The mesh console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kiali: Option<Kiali>,
    /// Dashboards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grafana: Option<Grafana>,
}

/// How Prometheus finds proxies.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Prometheus {
    /// `Annotations` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<PrometheusMode>,
    /// Whether the proxy serves the application's metrics too; yes if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge_app_metrics: Option<bool>,
    /// Labels of PodMonitors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::strings_by_name")]
    pub labels: BTreeMap<String, String>,
}

/// How Prometheus finds proxies.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum PrometheusMode {
    /// Not by our doing.
    None,
    /// By `prometheus.io` annotations.
    Annotations,
    /// By objects of the Prometheus operator.
    PodMonitor,
}

/// Where Jaeger is.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Jaeger {
    /// Off if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Where spans go, unless `meshConfig.tracing` says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub otlp_endpoint: Option<String>,
    /// A Jaeger object of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_ref: Option<ResourceRef>,
}

/// A namespaced object.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ResourceRef {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::name")]
    pub namespace: Option<String>,
}

/// How Kiali looks at the mesh.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kiali {
    /// Off if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether a Kiali object is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "createCR")]
    pub create_cr: Option<bool>,
    /// Namespaces that it shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::names")]
    pub accessible_namespaces: Vec<String>,
    /// Kiali's `external_services`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub external_services: Option<Value>,
}

/// Dashboards.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Grafana {
    /// Whether ConfigMaps with dashboards are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dashboards: Option<bool>,
    /// Where Grafana is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub url: Option<String>,
}

/// What happens when the MeshOperator is deleted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Uninstall {
    /// `BlockIfInUse` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<UninstallPolicy>,
    /// Yes if absent; the operator has no right to delete definitions, so that `no` only reports.
    #[serde(rename = "keepCRDs", default, skip_serializing_if = "Option::is_none")]
    pub keep_crds: Option<bool>,
    /// Whether root and issuer stay, for the next installation; yes if absent.
    #[serde(rename = "keepCA", default, skip_serializing_if = "Option::is_none")]
    pub keep_ca: Option<bool>,
    /// Longest time for the removal of objects; 30m if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

/// What happens while pods still have sidecars.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum UninstallPolicy {
    /// The mesh stays, and the status counts them.
    #[default]
    BlockIfInUse,
    /// They are restarted without sidecars first.
    Uninject,
    /// The mesh goes; their certificates expire.
    Force,
}
