//! How a new version of the mesh comes: revisions, canary, analysis, rollback, windows.

use super::{Duration, schema};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the API server checks of a [`UpdateStrategy`], each with what the user reads.
const UPDATE_STRATEGY_RULES: &[(&str, &str)] = &[(
    "!has(self.canary) || self.?type.orValue('RevisionBased') == 'RevisionBased'",
    "updateStrategy.canary needs updateStrategy.type RevisionBased; remove one of the two",
)];

/// What the API server checks of a [`Analysis`], each with what the user reads.
const ANALYSIS_RULES: &[(&str, &str)] = &[(
    "duration(self.?interval.orValue('30s')) <= duration(self.?duration.orValue('10m'))",
    "analysis.interval must not exceed analysis.duration; shorten the interval",
)];

/// What the API server checks of a [`Check`], each with what the user reads.
const CHECK_RULES: &[(&str, &str)] = &[
    (
        "[has(self.max), has(self.maxDelta), has(self.maxRatio)].filter(x, x).size() == 1",
        "set exactly one of max, maxDelta and maxRatio",
    ),
    (
        "(self.metric == 'PromQL') == has(self.query)",
        "query is needed for metric PromQL and not allowed for others",
    ),
];

/// How a new version comes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::rules(UPDATE_STRATEGY_RULES)))]
pub struct UpdateStrategy {
    /// `RevisionBased` if absent.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<UpdateKind>,
    /// How long an unused revision stays; an hour if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub inactive_revision_deletion_grace_period_seconds: Option<i64>,
    /// Revisions that may exist at once; 3 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 5))]
    pub max_revisions: Option<i32>,
    /// Longest time for a control plane to become ready; 15m if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_deadline: Option<Duration>,
    /// Checks before anything moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preflight: Option<Preflight>,
    /// A few proxies that try the new control plane first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// The way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    /// When anything may move; always if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub maintenance_windows: Vec<MaintenanceWindow>,
}

/// Whether two control planes run side by side during an update.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum UpdateKind {
    /// The Deployment is changed.
    InPlace,
    /// The new one runs beside the old one.
    #[default]
    RevisionBased,
}

/// Checks before anything moves.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preflight {
    /// On if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Which findings stop the update; `Error` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_on: Option<Severity>,
    /// Whether all live configuration is translated by both versions and compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_config: Option<bool>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Severity {
    /// The update would do harm.
    Error,
    /// The update may surprise.
    Warning,
}

/// A few proxies that try the new control plane first.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Canary {
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cohort: Option<Cohort>,
    /// How it is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<Analysis>,
}

/// Workloads of the canary.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cohort {
    /// 3 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_workloads: Option<i32>,
    /// Which ones; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub selector: Option<LabelSelector>,
}

/// How a new version is judged against the old one.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::rules(ANALYSIS_RULES)))]
pub struct Analysis {
    /// How long; 10m if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
    /// Time between two looks; 30s if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// Fewer requests than this say nothing; 500 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min_requests: Option<i32>,
    /// What follows from nothing; `Pause` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_inconclusive: Option<OnInconclusive>,
    /// Failed looks until the update is rolled back; 2 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 20))]
    pub failure_limit: Option<i32>,
    /// Where the numbers come from; `Mesh` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<AnalysisSource>,
    /// Of source `Prometheus`.
    #[serde(
        rename = "prometheusURL",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(length(max = 2048))]
    pub prometheus_url: Option<String>,
    /// What is compared; success rate, latency, restarts, refused configuration and failed
    /// handshakes if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub checks: Vec<Check>,
}

/// What follows from too few requests.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum OnInconclusive {
    /// A person decides.
    Pause,
    /// The update goes on.
    Proceed,
    /// The update goes back.
    Rollback,
}

/// Where the numbers of an analysis come from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum AnalysisSource {
    /// Counters that the proxies send to the control plane.
    Mesh,
    /// A Prometheus server.
    Prometheus,
}

/// One number that is compared.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::rules(CHECK_RULES)))]
pub struct Check {
    /// Its name in the status.
    #[schemars(length(max = 63))]
    pub name: String,
    /// What is measured.
    pub metric: CheckMetric,
    /// Of metric `PromQL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub query: Option<String>,
    /// Ceiling for the updated proxies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::decimal")]
    pub max: Option<String>,
    /// Largest difference to the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::decimal")]
    pub max_delta: Option<String>,
    /// Largest quotient with the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::decimal")]
    pub max_ratio: Option<String>,
}

/// What a check measures.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum CheckMetric {
    /// Share of requests without a server error.
    SuccessRate,
    /// Median latency.
    LatencyP50,
    /// 99th percentile of latency.
    LatencyP99,
    /// Restarts of proxies.
    ProxyRestarts,
    /// Memory of proxies.
    ProxyMemory,
    /// CPU of proxies.
    #[serde(rename = "ProxyCPU")]
    ProxyCpu,
    /// Refused resources.
    ConfigRejections,
    /// 99th percentile of the time from a change to all proxies.
    PushConvergenceP99,
    /// Failed handshakes.
    #[serde(rename = "TLSHandshakeFailures")]
    TlsHandshakeFailures,
    /// A query of the user's.
    #[serde(rename = "PromQL")]
    PromQl,
}

/// The way back to the old version.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollback {
    /// Whether a failed analysis starts it; yes if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic: Option<bool>,
    /// What goes back; `All` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<RollbackScope>,
    /// How long the old version stays after the last wave; 24h if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Duration>,
    /// Roll-backs until a version is not tried again; 1 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10))]
    pub max_attempts: Option<i32>,
}

/// What goes back.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum RollbackScope {
    /// The workload that failed.
    Workload,
    /// Its wave.
    Wave,
    /// Everything.
    All,
}

/// When anything may move.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MaintenanceWindow {
    /// Start, in cron's five fields.
    #[schemars(length(max = 64))]
    pub schedule: String,
    /// Length.
    pub duration: Duration,
    /// Of the schedule; UTC if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub time_zone: Option<String>,
}
