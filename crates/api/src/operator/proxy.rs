//! The sidecar.

use super::{Duration, Resources, schema};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the API server checks of a [`Lifecycle`], each with what the user reads.
const LIFECYCLE_RULES: &[(&str, &str)] = &[(
    "duration(self.?minimumDrain.orValue('5s')) <= duration(self.?terminationDrainDuration.orValue('25s'))",
    "proxy.lifecycle.minimumDrain (5s if absent) must not exceed terminationDrainDuration (25s if absent); raise the latter or set both",
)];

/// The sidecar.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proxy {
    /// Image in place of the one that belongs to the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub image: Option<String>,
    /// Requests and limits; 10m and 64Mi, 2000m and 1024Mi where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Of the init container; 10m and 32Mi, 100m and 64Mi where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_resources: Option<Resources>,
    /// Requests that follow use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_tune: Option<AutoTune>,
    /// Workers; 0 or absent follows the CPU limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 256))]
    pub concurrency: Option<i32>,
    /// Log filter; `warn,weft=info` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub log_level: Option<String>,
    /// `text` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_format: Option<LogFormat>,
    /// Restartable init container or ordinary container; `Auto` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native_sidecar: Option<crate::injection::NativeSidecar>,
    /// 1337 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub uid: Option<i64>,
    /// 1337 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub gid: Option<i64>,
    /// `RuntimeDefault` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seccomp_profile: Option<SeccompProfile>,
    /// Port of health and of the application's probes; 15021 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub status_port: Option<i32>,
    /// Start and end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl LogFormat {
    /// The value of `WEFT_LOG_FORMAT`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// Kubernetes' seccomp profiles that need no file.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum SeccompProfile {
    /// The container runtime's.
    #[default]
    RuntimeDefault,
    /// None.
    Unconfined,
}

impl SeccompProfile {
    /// The value of the field in a container.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RuntimeDefault => "RuntimeDefault",
            Self::Unconfined => "Unconfined",
        }
    }
}

/// Requests that follow use.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AutoTune {
    /// `Off` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<AutoTuneMode>,
    /// Of use over time; 95 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 50, max = 100))]
    pub percentile: Option<i32>,
    /// Added to it; 30 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 400))]
    pub headroom_percent: Option<i32>,
    /// Never less.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::quantities")]
    pub min_allowed: BTreeMap<String, IntOrString>,
    /// Never more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::quantities")]
    pub max_allowed: BTreeMap<String, IntOrString>,
}

/// What is done with a better request.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum AutoTuneMode {
    /// Nothing.
    #[default]
    Off,
    /// It is shown.
    Recommend,
    /// It is given to the running pod.
    InPlaceResize,
}

/// Start and end of a sidecar.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::rules(LIFECYCLE_RULES)))]
pub struct Lifecycle {
    /// Whether the application waits for its proxy; yes if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_application_until_proxy_starts: Option<bool>,
    /// Longest time for open connections at the end; 25s if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination_drain_duration: Option<Duration>,
    /// Shortest such time; 5s if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_drain: Option<Duration>,
    /// Whether the end comes early once no connection is open; yes if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_on_zero_active_connections: Option<bool>,
}
