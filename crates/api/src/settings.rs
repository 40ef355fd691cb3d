//! Settings of the control plane, as the operator writes them to the ConfigMap `weft-mesh`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the control plane needs to know of the MeshOperator; key `mesh.yaml`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeshSettings {
    /// Namespace of the control plane; objects there count for the whole mesh.
    pub root_namespace: String,
    /// SPIFFE trust domain.
    pub trust_domain: String,
    /// Further trust domains whose identities are accepted.
    pub trust_domain_aliases: Vec<String>,
    /// Cluster domain of service names.
    pub cluster_domain: String,
    /// Cluster id in metric labels.
    pub cluster_id: String,
    /// mTLS where no PeerAuthentication says otherwise.
    pub mtls: MtlsMode,
    /// What happens to destinations that the mesh does not know.
    pub outbound: OutboundPolicy,
    /// Longest and default life of workload certificates, such as `24h`.
    pub workload_cert_ttl: String,
    /// Access log file such as `/dev/stdout`; `None` is off.
    pub access_log: Option<AccessLogSettings>,
    /// Trace sampling in percent and OTLP endpoint.
    pub tracing: TracingSettings,
    /// Version of the mesh, such as `0.1.0`.
    pub version: String,
    /// Revision, such as `0-1-0`.
    pub revision: String,
    /// Namespaces of proxies at the edge, whose Secrets the control plane may read.
    pub gateway_namespaces: Vec<String>,
    /// Istio `meshConfig` keys that have no typed field.
    pub extra: BTreeMap<String, serde_json::Value>,
}

impl Default for MeshSettings {
    fn default() -> Self {
        Self {
            root_namespace: "weft-system".into(),
            trust_domain: "cluster.local".into(),
            trust_domain_aliases: Vec::new(),
            cluster_domain: "cluster.local".into(),
            cluster_id: "Kubernetes".into(),
            mtls: MtlsMode::Permissive,
            outbound: OutboundPolicy::AllowAny,
            workload_cert_ttl: "24h".into(),
            access_log: None,
            tracing: TracingSettings::default(),
            version: String::new(),
            revision: String::new(),
            gateway_namespaces: Vec::new(),
            extra: BTreeMap::new(),
        }
    }
}

/// Istio `PeerAuthentication.mtls.mode` without `UNSET`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MtlsMode {
    /// Plaintext only.
    Disable,
    /// Both.
    #[default]
    Permissive,
    /// mTLS only.
    Strict,
}

/// Istio `outboundTrafficPolicy.mode`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OutboundPolicy {
    /// Unknown destinations are reached unchanged.
    #[default]
    AllowAny,
    /// Unknown destinations are refused.
    RegistryOnly,
}

/// Access log of every proxy.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessLogSettings {
    /// Such as `/dev/stdout`.
    pub file: String,
    /// `TEXT` or `JSON`.
    pub encoding: String,
    /// Envoy format string, or a JSON object of them; empty is Istio's default.
    #[serde(default)]
    pub format: String,
}

/// Tracing of every proxy.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TracingSettings {
    /// Percent of new traces, 0 to 100.
    pub sampling: f64,
    /// `host:port` that takes OTLP over gRPC; `None` sends no spans.
    pub otlp_endpoint: Option<String>,
}
