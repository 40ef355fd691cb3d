//! Network filters: what a filter chain does with a connection.

use super::value::{duration, number, type_name, unpack};
use super::{At, Fault, Outcome, hcm, log, rbac};
use crate::config::{Rbac, TcpProxy, Terminal};
use std::sync::Arc;
use std::time::Duration;
use weft_proto::pb::envoy::config::listener::v3::{Filter, filter::ConfigType};
use weft_proto::pb::envoy::extensions::filters::network::rbac::v3 as rbac_pb;
use weft_proto::pb::envoy::extensions::filters::network::tcp_proxy::v3 as pb;
use weft_proto::pb::envoy::r#type::v3::hash_policy::PolicySpecifier;
use weft_proto::pb::google::protobuf::Any;

/// Envoy's default of `idle_timeout`.
const IDLE: Duration = Duration::from_secs(3600);

/// One filter of a chain.
enum Decoded {
    /// Does nothing here.
    Passed,
    Rbac(Arc<Rbac>),
    Terminal(Terminal),
}

/// The policies of a chain, in order, and its terminal filter.
pub(super) fn filters(list: &[Filter]) -> Outcome<(Vec<Arc<Rbac>>, Terminal)> {
    let mut policies = Vec::new();
    for (index, filter) in list.iter().enumerate() {
        match one(filter).at_entry("filters", index)? {
            Decoded::Passed => {}
            Decoded::Rbac(policy) => policies.push(policy),
            Decoded::Terminal(terminal) => return Ok((policies, terminal)),
        }
    }
    Err(Fault::new("no filter that takes the connection")).at("filters")
}

fn one(filter: &Filter) -> Outcome<Decoded> {
    let Some(ConfigType::TypedConfig(any)) = &filter.config_type else {
        return Err(Fault::new(format!(
            "`{}` has no configuration",
            filter.name
        )));
    };
    let decoded = match type_name(any).as_str() {
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager" => {
            hcm::manager(any).map(|hcm| Decoded::Terminal(Terminal::Http(hcm)))
        }
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy" => {
            tcp_proxy(any).map(|tcp| Decoded::Terminal(Terminal::Tcp(tcp)))
        }
        "envoy.extensions.filters.network.rbac.v3.RBAC" => policy(any).map(Decoded::Rbac),
        // Peer metadata and metrics of TCP connections, which this proxy does unasked.
        "envoy.tcp.metadataexchange.config.MetadataExchange" | "stats.PluginConfig" => {
            Ok(Decoded::Passed)
        }
        other => Err(Fault::new(format!("the type {other} is unknown here"))),
    };
    decoded.at(&filter.name)
}

fn policy(any: &Any) -> Outcome<Arc<Rbac>> {
    let from: rbac_pb::Rbac = unpack(any)?;
    if from.matcher.is_some() || from.shadow_matcher.is_some() {
        return Err(Fault::new("matchers are not supported, use rules"));
    }
    Ok(Arc::new(Rbac {
        rules: from.rules.as_ref().map(rbac::rules).transpose()?,
        shadow: from.shadow_rules.as_ref().map(rbac::rules).transpose()?,
        shadow_prefix: from.shadow_rules_stat_prefix.as_str().into(),
    }))
}

fn tcp_proxy(any: &Any) -> Outcome<Arc<TcpProxy>> {
    let from: pb::TcpProxy = unpack(any)?;
    if from.tunneling_config.is_some() {
        return Err(Fault::new("tunneling_config is not supported"));
    }
    let idle = duration("idle_timeout", from.idle_timeout.as_ref())?.unwrap_or(IDLE);
    let hash_source_ip = from
        .hash_policy
        .iter()
        .any(|policy| matches!(policy.policy_specifier, Some(PolicySpecifier::SourceIp(_))));
    Ok(Arc::new(TcpProxy {
        stat_prefix: from.stat_prefix.as_str().into(),
        clusters: clusters(&from)?,
        idle_timeout: (!idle.is_zero()).then_some(idle),
        max_connect_attempts: number(from.max_connect_attempts.as_ref(), 1).max(1),
        hash_source_ip,
        access_log: log::all(&from.access_log)?,
    }))
}

fn clusters(from: &pb::TcpProxy) -> Outcome<Vec<(Arc<str>, u32)>> {
    use pb::tcp_proxy::ClusterSpecifier;
    let clusters: Vec<_> = match &from.cluster_specifier {
        Some(ClusterSpecifier::Cluster(name)) => vec![(name.as_str().into(), 1)],
        Some(ClusterSpecifier::WeightedClusters(weighted)) => weighted
            .clusters
            .iter()
            .map(|share| (share.name.as_str().into(), share.weight))
            .collect(),
        None => Vec::new(),
    };
    if clusters.is_empty() {
        return Err(Fault::new("no cluster"));
    }
    Ok(clusters)
}
