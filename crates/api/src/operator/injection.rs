//! Who gets a sidecar, and what traffic it sees.

use super::{Duration, schema};
use crate::injection::InjectionPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the API server checks of a [`Injection`], each with what the user reads.
const INJECTION_RULES: &[(&str, &str)] = &[(
    "!(self.?failurePolicy.orValue('Fail') == 'Ignore' && self.?onOutage.orValue('AllowAndReinject') == 'Block')",
    "injection.onOutage Block contradicts injection.failurePolicy Ignore; remove one of the two",
)];

/// Who gets a sidecar.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::rules(INJECTION_RULES)))]
pub struct Injection {
    /// What holds where neither pod nor namespace says anything; `enabled` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<InjectionPolicy>,
    /// Webhook or the API server's own mutation; `Webhook` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<InjectionMechanism>,
    /// Namespaces that are opted in; those labelled `weft.mesh/inject: enabled` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub namespace_selector: Option<LabelSelector>,
    /// Pods of those namespaces; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub object_selector: Option<LabelSelector>,
    /// Whether `istio-injection` and `sidecar.istio.io/inject` count too; yes if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub honor_istio_labels: Option<bool>,
    /// Pods without a sidecar, unless they ask for one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::label_selectors")]
    pub never_inject_selector: Vec<LabelSelector>,
    /// Pods with a sidecar, unless they refuse one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::label_selectors")]
    pub always_inject_selector: Vec<LabelSelector>,
    /// Namespaces without sidecars, whatever their labels say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::names")]
    pub excluded_namespaces: Option<Vec<String>>,
    /// What the API server does with a pod while no injector answers; `Fail` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_policy: Option<FailurePolicy>,
    /// What the operator does about such an outage; `AllowAndReinject` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_outage: Option<OnOutage>,
    /// When it does so; 20s if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage_threshold: Option<Duration>,
    /// Longest time for one answer of the injector; 5 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 30))]
    pub timeout_seconds: Option<i32>,
    /// Whether the injector is asked again after other webhooks; `IfNeeded` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reinvocation_policy: Option<ReinvocationPolicy>,
    /// Whether the kubelet's probes go through the proxy; yes if absent.
    #[serde(
        rename = "rewriteAppHTTPProbes",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub rewrite_app_http_probes: Option<bool>,
    /// Further parts of injected pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Template>,
    /// What pods may change of their sidecar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Overrides>,
    /// What traffic is captured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interception: Option<Interception>,
}

/// Who changes the pod.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum InjectionMechanism {
    /// The injector.
    Webhook,
    /// A MutatingAdmissionPolicy.
    AdmissionPolicy,
    /// The latter where the cluster has it.
    Auto,
}

/// Kubernetes' `failurePolicy`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum FailurePolicy {
    /// The pod is refused.
    #[default]
    Fail,
    /// The pod starts without a sidecar.
    Ignore,
}

impl FailurePolicy {
    /// The value of the field in a webhook.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "Fail",
            Self::Ignore => "Ignore",
        }
    }
}

/// What the operator does while no injector answers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum OnOutage {
    /// Nothing: pods of opted-in namespaces are refused.
    Block,
    /// Pods start without a sidecar and are replaced afterwards.
    AllowAndReinject,
}

/// Kubernetes' `reinvocationPolicy`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum ReinvocationPolicy {
    /// Asked once.
    Never,
    /// Asked again after changes by others.
    #[default]
    IfNeeded,
}

impl ReinvocationPolicy {
    /// The value of the field in a webhook.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "Never",
            Self::IfNeeded => "IfNeeded",
        }
    }
}

/// Further parts of injected pods.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// A ConfigMap of the mesh's namespace in one of Istio's forms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<ConfigMapKey>,
    /// Partial Pods by name, as YAML.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "inline")]
    pub inline: BTreeMap<String, String>,
    /// Templates of pods that do not name others, in order; `sidecar` if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 63)))]
    pub default_templates: Vec<String>,
}

/// A key of a ConfigMap.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ConfigMapKey {
    /// Name of the ConfigMap.
    #[schemars(length(max = 253))]
    pub name: String,
    /// `config` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub key: Option<String>,
}

/// What pods may change of their sidecar.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overrides {
    /// Yes if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_annotations: Option<bool>,
    /// Largest CPU that a pod may ask for; 4 if absent.
    #[serde(rename = "maxCPU", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::quantity")]
    pub max_cpu: Option<IntOrString>,
    /// Largest memory that a pod may ask for; 4Gi if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::quantity")]
    pub max_memory: Option<IntOrString>,
    /// Fields of the container that a pod may not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::names")]
    pub deny_fields: Option<Vec<String>>,
}

/// What traffic is captured; lists are comma-separated texts, as in Istio.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Interception {
    /// Who writes the rules; `InitContainer` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<InterceptionMode>,
    /// CIDRs or `*`; `*` if absent.
    #[serde(
        rename = "includeOutboundIPRanges",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(length(max = 4096))]
    pub include_outbound_ip_ranges: Option<String>,
    /// CIDRs.
    #[serde(
        rename = "excludeOutboundIPRanges",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(length(max = 4096))]
    pub exclude_outbound_ip_ranges: Option<String>,
    /// Numbers of the application's ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub exclude_inbound_ports: Option<String>,
    /// Numbers of destination ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub exclude_outbound_ports: Option<String>,
    /// Whether the sidecar answers DNS queries for names of the mesh; `false` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_capture: Option<bool>,
}

/// Who writes the rules of capture.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum InterceptionMode {
    /// A container of the pod.
    #[default]
    InitContainer,
    /// The node plugin.
    #[serde(rename = "CNI")]
    Cni,
}

/// Texts of templates by name.
fn inline(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 8,
        "additionalProperties": {"type": "string", "maxLength": 65536},
    })
}
