//! Load balancing, limits, outliers and health checks of a cluster.

use super::value::{duration, number, text};
use super::{At, Fault, Outcome};
use crate::config::{HealthCheck, HttpProbe, Limits, LoadBalancing, Outlier, SlowStart};
use std::time::Duration;
use weft_proto::pb::envoy::config::cluster::v3::cluster::{self, LbConfig, LbPolicy};
use weft_proto::pb::envoy::config::cluster::v3::{self as pb, CircuitBreakers};
use weft_proto::pb::envoy::config::core::v3::{self as core, health_check::HealthChecker};
use weft_proto::pb::google::protobuf::UInt32Value;

/// Envoy's default of `minimum_ring_size`.
const RING: u64 = 1024;
/// Envoy's default of `table_size`.
const TABLE: u64 = 65_537;

pub(super) fn policy(from: &pb::Cluster) -> Outcome<LoadBalancing> {
    match from.lb_policy() {
        LbPolicy::RoundRobin => {
            let settings = match &from.lb_config {
                Some(LbConfig::RoundRobinLbConfig(settings)) => settings.slow_start_config.as_ref(),
                _ => None,
            };
            let slow_start = settings.map(slow_start).transpose()?;
            Ok(LoadBalancing::RoundRobin { slow_start })
        }
        LbPolicy::LeastRequest => match &from.lb_config {
            Some(LbConfig::LeastRequestLbConfig(settings)) => Ok(LoadBalancing::LeastRequestWith {
                choices: number(settings.choice_count.as_ref(), 2).max(2),
                slow_start: settings
                    .slow_start_config
                    .as_ref()
                    .map(slow_start)
                    .transpose()?,
            }),
            _ => Ok(LoadBalancing::LeastRequest),
        },
        LbPolicy::Random => Ok(LoadBalancing::Random),
        LbPolicy::RingHash => {
            let size = match &from.lb_config {
                Some(LbConfig::RingHashLbConfig(settings)) => settings.minimum_ring_size.as_ref(),
                _ => None,
            };
            Ok(LoadBalancing::RingHash {
                minimum_ring_size: size.map_or(RING, |size| size.value),
            })
        }
        LbPolicy::Maglev => {
            let size = match &from.lb_config {
                Some(LbConfig::MaglevLbConfig(settings)) => settings.table_size.as_ref(),
                _ => None,
            };
            Ok(LoadBalancing::Maglev {
                table_size: size.map_or(TABLE, |size| size.value),
            })
        }
        LbPolicy::ClusterProvided => Ok(LoadBalancing::Provided),
        LbPolicy::LoadBalancingPolicyConfig => extension(from),
    }
}

/// The newer form: a list of extensions of which the first known one is taken.
fn extension(from: &pb::Cluster) -> Outcome<LoadBalancing> {
    let list = from
        .load_balancing_policy
        .iter()
        .flat_map(|policy| &policy.policies);
    for entry in list.filter_map(|policy| policy.typed_extension_config.as_ref()) {
        match entry.name.as_str() {
            "envoy.load_balancing_policies.round_robin" => {
                return Ok(LoadBalancing::RoundRobin { slow_start: None });
            }
            "envoy.load_balancing_policies.least_request" => {
                return Ok(LoadBalancing::LeastRequest);
            }
            "envoy.load_balancing_policies.random" => return Ok(LoadBalancing::Random),
            "envoy.load_balancing_policies.ring_hash" => {
                return Ok(LoadBalancing::RingHash {
                    minimum_ring_size: RING,
                });
            }
            "envoy.load_balancing_policies.maglev" => {
                return Ok(LoadBalancing::Maglev { table_size: TABLE });
            }
            "envoy.load_balancing_policies.cluster_provided" => return Ok(LoadBalancing::Provided),
            _ => {}
        }
    }
    Err(Fault::new("no policy that is known here")).at("load_balancing_policy")
}

fn slow_start(from: &cluster::SlowStartConfig) -> Outcome<SlowStart> {
    let window = duration("slow_start_window", from.slow_start_window.as_ref())?;
    let percent = from.min_weight_percent.as_ref();
    Ok(SlowStart {
        window: window.unwrap_or_default(),
        aggression: from
            .aggression
            .as_ref()
            .map_or(1.0, |value| value.default_value),
        min_weight_percent: percent.map_or(10.0, |percent| percent.value),
    })
}

/// The thresholds of the default priority, which is the one that routes use.
pub(super) fn limits(from: Option<&CircuitBreakers>) -> Limits {
    let envoy = Limits::default();
    let thresholds = from.and_then(|breakers| breakers.thresholds.iter().find(|t| t.priority == 0));
    let Some(thresholds) = thresholds else {
        return envoy;
    };
    Limits {
        connections: number(thresholds.max_connections.as_ref(), envoy.connections),
        pending: number(thresholds.max_pending_requests.as_ref(), envoy.pending),
        requests: number(thresholds.max_requests.as_ref(), envoy.requests),
        retries: number(thresholds.max_retries.as_ref(), envoy.retries),
    }
}

pub(super) fn outlier(from: &pb::OutlierDetection) -> Outcome<Outlier> {
    let enforced = |value: Option<&UInt32Value>, default| number(value, default) > 0;
    let counted = |value: Option<&UInt32Value>, on: bool| {
        on.then(|| number(value, 5)).filter(|limit| *limit > 0)
    };
    let time = |field, value, default| {
        Ok::<_, Fault>(duration(field, value)?.unwrap_or(Duration::from_secs(default)))
    };
    let base = time("base_ejection_time", from.base_ejection_time.as_ref(), 30)?;
    let longest = time("max_ejection_time", from.max_ejection_time.as_ref(), 300)?;
    let gateway = from.consecutive_gateway_failure.as_ref();
    let split = from.split_external_local_origin_errors;
    Ok(Outlier {
        consecutive_5xx: counted(
            from.consecutive_5xx.as_ref(),
            enforced(from.enforcing_consecutive_5xx.as_ref(), 100),
        ),
        consecutive_gateway: counted(
            gateway,
            enforced(from.enforcing_consecutive_gateway_failure.as_ref(), 0),
        ),
        consecutive_local: counted(
            from.consecutive_local_origin_failure.as_ref(),
            split
                && enforced(
                    from.enforcing_consecutive_local_origin_failure.as_ref(),
                    100,
                ),
        ),
        split_local: split,
        interval: time("interval", from.interval.as_ref(), 10)?,
        base_ejection: base,
        max_ejection: longest.max(base),
        max_ejection_percent: number(from.max_ejection_percent.as_ref(), 10),
    })
}

pub(super) fn health_check(from: &core::HealthCheck) -> Outcome<HealthCheck> {
    let http = match &from.health_checker {
        Some(HealthChecker::HttpHealthCheck(http)) => Some(HttpProbe {
            path: http.path.as_str().into(),
            host: text(&http.host),
        }),
        Some(HealthChecker::TcpHealthCheck(_)) => None,
        Some(HealthChecker::GrpcHealthCheck(_) | HealthChecker::CustomHealthCheck(_)) | None => {
            return Err(Fault::new("only HTTP and TCP health checks are supported"));
        }
    };
    let time = |field, value| {
        let found = duration(field, value)?.filter(|time| !time.is_zero());
        found.ok_or_else(|| Fault::new("must be given")).at(field)
    };
    Ok(HealthCheck {
        timeout: time("timeout", from.timeout.as_ref())?,
        interval: time("interval", from.interval.as_ref())?,
        unhealthy_threshold: number(from.unhealthy_threshold.as_ref(), 1),
        healthy_threshold: number(from.healthy_threshold.as_ref(), 1),
        http,
    })
}
