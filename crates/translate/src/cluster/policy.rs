//! What a DestinationRule changes in a cluster.

use super::{http_version, http1, set_options, to_original_destination};
use crate::value::{duration, number, seconds};
use weft_model::Protocol;
use weft_model::traffic::{LoadBalancing, Outlier, Policy, Pool, SlowStart};
use weft_proto::pb::envoy::config::cluster::v3 as cluster;
use weft_proto::pb::envoy::config::cluster::v3::cluster::{
    LbConfig, LbPolicy, LeastRequestLbConfig, MaglevLbConfig, RingHashLbConfig, RoundRobinLbConfig,
    SlowStartConfig,
};
use weft_proto::pb::envoy::config::core::v3 as core;
use weft_proto::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use weft_proto::pb::envoy::r#type::v3::Percent;
use weft_proto::pb::google::protobuf::UInt64Value;

/// Applies everything but TLS.
pub(super) fn apply(cluster: &mut cluster::Cluster, policy: &Policy, protocol: Protocol) {
    if let Some(balancing) = &policy.balancing {
        balance(cluster, balancing);
    }
    let pool = policy.pool.clone().unwrap_or_default();
    limit(cluster, &pool);
    http_options(cluster, &pool, spoken(policy, protocol));
    if let Some(outlier) = &policy.outlier {
        cluster.outlier_detection = Some(detection(outlier));
        if let Some(common) = &mut cluster.common_lb_config {
            common.healthy_panic_threshold = Some(Percent {
                value: outlier.min_health_percent.into(),
            });
        }
    }
}

/// The protocol, as the policy changes it.
pub(super) fn spoken(policy: &Policy, protocol: Protocol) -> Protocol {
    let Some(pool) = &policy.pool else {
        return protocol;
    };
    match protocol {
        Protocol::Http | Protocol::Auto if pool.upgrade => Protocol::Http2,
        Protocol::Http | Protocol::Http2 if pool.client_protocol => Protocol::Auto,
        other => other,
    }
}

fn balance(cluster: &mut cluster::Cluster, balancing: &LoadBalancing) {
    let (policy, config) = match balancing {
        LoadBalancing::LeastRequest(start) => (
            LbPolicy::LeastRequest,
            start.map(|start| {
                LbConfig::LeastRequestLbConfig(LeastRequestLbConfig {
                    slow_start_config: Some(slow_start(start)),
                    ..Default::default()
                })
            }),
        ),
        LoadBalancing::RoundRobin(start) => (
            LbPolicy::RoundRobin,
            start.map(|start| {
                LbConfig::RoundRobinLbConfig(RoundRobinLbConfig {
                    slow_start_config: Some(slow_start(start)),
                })
            }),
        ),
        LoadBalancing::Random => (LbPolicy::Random, None),
        LoadBalancing::RingHash(_, size) => (
            LbPolicy::RingHash,
            Some(LbConfig::RingHashLbConfig(RingHashLbConfig {
                minimum_ring_size: Some(UInt64Value { value: *size }),
                ..Default::default()
            })),
        ),
        LoadBalancing::Maglev(_, size) => (
            LbPolicy::Maglev,
            size.map(|value| {
                LbConfig::MaglevLbConfig(MaglevLbConfig {
                    table_size: Some(UInt64Value { value }),
                })
            }),
        ),
        LoadBalancing::Passthrough => {
            to_original_destination(cluster);
            cluster.eds_cluster_config = None;
            cluster.load_assignment = None;
            return;
        }
    };
    cluster.lb_policy = policy.into();
    cluster.lb_config = config;
}

fn slow_start(of: SlowStart) -> SlowStartConfig {
    SlowStartConfig {
        slow_start_window: duration(of.window),
        aggression: Some(core::RuntimeDouble {
            default_value: f64::from(of.aggression_thousandths) / 1000.0,
            // Envoy wants a key, and nobody has one of this name.
            runtime_key: "(".into(),
        }),
        min_weight_percent: Some(Percent {
            value: f64::from(of.minimum_parts) / 10_000.0,
        }),
    }
}

fn limit(cluster: &mut cluster::Cluster, pool: &Pool) {
    let breakers = cluster.circuit_breakers.iter_mut();
    for threshold in breakers.flat_map(|breakers| &mut breakers.thresholds) {
        let unlimited = |limit: Option<u32>| number(limit.unwrap_or(u32::MAX));
        threshold.max_connections = unlimited(pool.connections);
        threshold.max_pending_requests = unlimited(pool.pending);
        threshold.max_requests = unlimited(pool.requests);
        threshold.max_retries = unlimited(pool.retries);
    }
    if let Some(timeout) = pool.connect_timeout {
        cluster.connect_timeout = duration(timeout);
    }
    if let Some((probes, idle, interval)) = pool.keepalive {
        let keepalive = core::TcpKeepalive {
            keepalive_probes: probes.and_then(number),
            keepalive_time: idle.and_then(number),
            keepalive_interval: interval.and_then(number),
        };
        cluster.upstream_connection_options = Some(cluster::UpstreamConnectionOptions {
            tcp_keepalive: Some(keepalive),
            ..Default::default()
        });
    }
}

fn http_options(cluster: &mut cluster::Cluster, pool: &Pool, protocol: Protocol) {
    let common = core::HttpProtocolOptions {
        idle_timeout: pool.http_idle.and_then(duration),
        max_connection_duration: pool.connection_duration.and_then(duration),
        max_requests_per_connection: pool.requests_per_connection.and_then(number),
        ..Default::default()
    };
    let common = Some(common).filter(|common| *common != core::HttpProtocolOptions::default());
    let version = http_version(protocol).or_else(|| common.is_some().then(http1));
    if version.is_none() {
        return;
    }
    let mut options = HttpProtocolOptions {
        common_http_protocol_options: common,
        upstream_protocol_options: version,
        ..Default::default()
    };
    set_streams(&mut options, pool.streams);
    set_options(cluster, &options);
}

fn set_streams(options: &mut HttpProtocolOptions, streams: Option<u32>) {
    use weft_proto::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::{
        UpstreamProtocolOptions as Options, explicit_http_config::ProtocolConfig,
    };
    let http2 = match &mut options.upstream_protocol_options {
        Some(Options::ExplicitHttpConfig(config)) => match &mut config.protocol_config {
            Some(ProtocolConfig::Http2ProtocolOptions(http2)) => Some(http2),
            _ => None,
        },
        Some(Options::UseDownstreamProtocolConfig(config)) => {
            config.http2_protocol_options.as_mut()
        }
        Some(Options::AutoConfig(_)) | None => None,
    };
    if let (Some(http2), Some(streams)) = (http2, streams) {
        http2.max_concurrent_streams = number(streams);
    }
}

/// Istio's settings: success rates never count, gateway errors only if they are asked for.
fn detection(of: &Outlier) -> cluster::OutlierDetection {
    let on = |count: Option<u32>| count.and_then(|count| number(if count == 0 { 0 } else { 100 }));
    cluster::OutlierDetection {
        consecutive_5xx: of
            .server_errors
            .filter(|count| *count != 0)
            .and_then(number),
        enforcing_consecutive_5xx: on(of.server_errors),
        consecutive_gateway_failure: of.gateway_errors.and_then(number),
        enforcing_consecutive_gateway_failure: on(of.gateway_errors),
        consecutive_local_origin_failure: of.local_failures.and_then(number),
        split_external_local_origin_errors: of.split,
        enforcing_success_rate: number(0),
        enforcing_local_origin_success_rate: of.split.then_some(0).and_then(number),
        interval: of.interval.map_or_else(|| seconds(10), duration),
        base_ejection_time: of.base_ejection.map_or_else(|| seconds(30), duration),
        max_ejection_percent: number(of.max_percent.unwrap_or(10)),
        ..Default::default()
    }
}
