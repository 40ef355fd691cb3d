//! Istio's `meshConfig`, as far as Weft has it.

use super::schema;
use crate::settings::{MtlsMode, OutboundPolicy};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What the API server checks of a [`MeshConfig`], each with what the user reads.
const MESH_CONFIG_RULES: &[(&str, &str)] = &[(
    "(has(self.trustDomain) ? self.trustDomain : 'cluster.local') == (has(oldSelf.trustDomain) ? oldSelf.trustDomain : 'cluster.local') || (has(self.trustDomainAliases) && (has(oldSelf.trustDomain) ? oldSelf.trustDomain : 'cluster.local') in self.trustDomainAliases)",
    "meshConfig.trustDomain changes while proxies still have the old one; add the old one to meshConfig.trustDomainAliases",
)];

/// Settings of the whole mesh.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
#[schemars(extend("x-kubernetes-validations" = schema::rules(MESH_CONFIG_RULES)))]
pub struct MeshConfig {
    /// SPIFFE trust domain; `cluster.local` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 253),
        regex(pattern = "^[a-z0-9]([-._a-z0-9]*[a-z0-9])?$")
    )]
    pub trust_domain: Option<String>,
    /// Further trust domains whose identities are accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "trust_domains")]
    pub trust_domain_aliases: Vec<String>,
    /// mTLS where no PeerAuthentication says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtls: Option<Mtls>,
    /// Istio's switch of access logs: a file such as `/dev/stdout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub access_log_file: Option<String>,
    /// Istio's `TEXT` or `JSON`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_log_encoding: Option<AccessLogEncoding>,
    /// Istio's format string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub access_log_format: Option<String>,
    /// Access logs; wins over the three fields above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AccessLog>,
    /// Spans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracing: Option<Tracing>,
    /// Destinations that the mesh does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbound_traffic_policy: Option<OutboundTrafficPolicy>,
    /// Namespaces that the control plane looks at; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::label_selectors")]
    pub discovery_selectors: Vec<LabelSelector>,
    /// Keys without a field here.
    #[serde(flatten)]
    #[schemars(skip)]
    pub other: BTreeMap<String, Value>,
}

/// mTLS of the whole mesh.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Mtls {
    /// `PERMISSIVE` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<MtlsMode>,
}

/// Access logs of every proxy.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct AccessLog {
    /// On or off; absent: `accessLogFile`, the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Envoy's format string; Istio's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub format: Option<String>,
    /// `TEXT` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<AccessLogEncoding>,
    /// Percent of requests; 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub sampling: Option<i32>,
}

/// Istio's `AccessLogEncoding`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AccessLogEncoding {
    /// Lines.
    #[default]
    Text,
    /// Objects.
    Json,
}

impl AccessLogEncoding {
    /// Istio's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Json => "JSON",
        }
    }
}

/// Spans of every proxy.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tracing {
    /// On or off; absent: on where an endpoint is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Percent of new traces; 1 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 100.0))]
    pub sampling: Option<f64>,
    /// Where spans go: OTLP over gRPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub otlp_endpoint: Option<String>,
}

/// Istio's `OutboundTrafficPolicy`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct OutboundTrafficPolicy {
    /// `ALLOW_ANY` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<OutboundPolicy>,
}

/// A short set of trust domains.
fn trust_domains(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "set",
        "items": {"type": "string", "maxLength": 253},
    })
}
