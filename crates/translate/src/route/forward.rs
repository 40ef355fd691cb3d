//! Where requests go: clusters, retries, hashes.

use crate::names;
use crate::value::{duration, flag, number, seconds};
use weft_model::View;
use weft_model::routing::{Destination, Forward, Retries};
use weft_model::traffic::{Hash, LoadBalancing};
use weft_proto::pack;
use weft_proto::pb::envoy::config::core::v3::RuntimeFractionalPercent;
use weft_proto::pb::envoy::config::route::v3 as route;
use weft_proto::pb::envoy::config::route::v3::retry_policy;
use weft_proto::pb::envoy::config::route::v3::route_action::{
    HashPolicy, RequestMirrorPolicy, hash_policy,
};
use weft_proto::pb::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
use weft_proto::pb::envoy::extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig;
use weft_proto::pb::envoy::r#type::v3::{FractionalPercent, fractional_percent::DenominatorType};

/// When an attempt that failed is made again: nothing of these reached the application.
const RETRY_ON: &str =
    "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";

/// To `cluster`. No timeout: Envoy's own of 15 s would surprise. The `grpc-timeout` of a client counts.
#[allow(
    deprecated,
    reason = "its successor `max_stream_duration` would limit other requests too"
)]
pub(super) fn to_cluster(name: &str) -> route::RouteAction {
    route::RouteAction {
        cluster_specifier: Some(route::route_action::ClusterSpecifier::Cluster(
            name.to_owned(),
        )),
        timeout: seconds(0),
        max_grpc_timeout: seconds(0),
        ..Default::default()
    }
}

/// The cluster of a destination, for requests that came to `port`.
pub(crate) fn cluster(view: &View, to: &Destination, port: u16) -> String {
    names::outbound(number_of(view, to, port), &to.subset, &to.host)
}

/// A service with one port needs no number; with several it is the port that was called.
pub(crate) fn number_of(view: &View, to: &Destination, port: u16) -> u16 {
    let mut services = view.destinations.iter();
    let mut service = || services.find(|service| service.host == to.host);
    let only = || match service()?.ports.as_slice() {
        [only] => Some(only.number),
        _ => None,
    };
    to.port.or_else(only).unwrap_or(port)
}

/// The action of a VirtualService's route, for requests that came to `port`.
#[allow(deprecated, reason = "as in `to_cluster`")]
pub(super) fn forward(view: &View, of: &Forward, port: u16) -> route::RouteAction {
    let single = cluster(view, &of.destinations[0].destination, port);
    let timeout = of.timeout.map_or_else(|| seconds(0), duration);
    let mut action = route::RouteAction {
        timeout,
        max_grpc_timeout: timeout,
        retry_policy: match &of.retries {
            None => Some(retries()),
            Some(of) => (of.attempts > 0).then(|| own_retries(of)),
        },
        request_mirror_policies: mirrors(view, of, port),
        hash_policy: hashes(view, of, port),
        ..to_cluster(&single)
    };
    if of.destinations.len() > 1 {
        let clusters = of.destinations.iter();
        let clusters = clusters.map(|each| super::headers::weighted(view, each, port));
        action.cluster_specifier = Some(route::route_action::ClusterSpecifier::WeightedClusters(
            route::WeightedCluster {
                clusters: clusters.collect(),
                ..Default::default()
            },
        ));
    }
    action
}

fn mirrors(view: &View, of: &Forward, port: u16) -> Vec<RequestMirrorPolicy> {
    let mirror = |(to, parts): &(Destination, u32)| RequestMirrorPolicy {
        cluster: cluster(view, to, port),
        runtime_fraction: Some(fraction(*parts)),
        trace_sampled: flag(false),
        disable_shadow_host_suffix_append: true,
        ..Default::default()
    };
    of.mirrors.iter().map(mirror).collect()
}

/// So many requests in a million.
pub(super) fn fraction(parts: u32) -> RuntimeFractionalPercent {
    RuntimeFractionalPercent {
        default_value: Some(in_million(parts)),
        ..Default::default()
    }
}

/// So many in a million.
pub(super) fn in_million(numerator: u32) -> FractionalPercent {
    FractionalPercent {
        numerator,
        denominator: DenominatorType::Million.into(),
    }
}

fn hashes(view: &View, of: &Forward, port: u16) -> Vec<HashPolicy> {
    let mut hashes = Vec::new();
    for each in &of.destinations {
        let number = number_of(view, &each.destination, port);
        let found = hash(view, &each.destination, number);
        let new = found.filter(|hash| !hashes.contains(hash));
        hashes.extend(new);
    }
    hashes
}

/// What the choice of an endpoint of `to` depends on, if its DestinationRule says so.
pub(super) fn hash(view: &View, to: &Destination, port: u16) -> Option<HashPolicy> {
    use hash_policy::{ConnectionProperties, Cookie, Header, PolicySpecifier, QueryParameter};
    let rule = view.traffic.get(&to.host)?;
    let mut subsets = rule.subsets.iter();
    let subset = subsets.find(|subset| subset.name == to.subset);
    let hash = match rule.policy(subset, port).balancing? {
        LoadBalancing::RingHash(hash, _) | LoadBalancing::Maglev(hash, _) => hash,
        LoadBalancing::LeastRequest(_)
        | LoadBalancing::RoundRobin(_)
        | LoadBalancing::Random
        | LoadBalancing::Passthrough => return None,
    };
    let specifier = match hash {
        Hash::Header(header_name) => PolicySpecifier::Header(Header {
            header_name,
            ..Default::default()
        }),
        Hash::Cookie { name, path, life } => PolicySpecifier::Cookie(Cookie {
            name,
            path,
            ttl: life.and_then(duration),
            ..Default::default()
        }),
        Hash::SourceIp => {
            PolicySpecifier::ConnectionProperties(ConnectionProperties { source_ip: true })
        }
        Hash::Query(name) => PolicySpecifier::QueryParameter(QueryParameter { name }),
    };
    Some(HashPolicy {
        policy_specifier: Some(specifier),
        ..Default::default()
    })
}

/// Istio's default: two more attempts, on other endpoints.
pub(super) fn retries() -> route::RetryPolicy {
    route::RetryPolicy {
        retry_on: RETRY_ON.to_owned(),
        num_retries: number(2),
        retry_host_predicate: vec![elsewhere()],
        host_selection_retry_max_attempts: 5,
        ..Default::default()
    }
}

fn elsewhere() -> retry_policy::RetryHostPredicate {
    let config = pack(&PreviousHostsPredicate {});
    retry_policy::RetryHostPredicate {
        name: "envoy.retry_host_predicates.previous_hosts".to_owned(),
        config_type: Some(retry_policy::retry_host_predicate::ConfigType::TypedConfig(
            config,
        )),
    }
}

fn own_retries(of: &Retries) -> route::RetryPolicy {
    let conditions = Some(&of.conditions).filter(|conditions| !conditions.is_empty());
    let back_off = of.backoff.map(|first| retry_policy::RetryBackOff {
        base_interval: duration(first),
        ..Default::default()
    });
    let elsewhere = of.ignore_previous.then(elsewhere);
    route::RetryPolicy {
        retry_on: conditions.map_or(RETRY_ON, String::as_str).to_owned(),
        num_retries: number(of.attempts),
        per_try_timeout: of.per_try_timeout.and_then(duration),
        retriable_status_codes: of.codes.clone(),
        retry_priority: of.remote_localities.then(other_localities),
        retry_host_predicate: elsewhere.into_iter().collect(),
        retry_back_off: back_off,
        ..retries()
    }
}

fn other_localities() -> retry_policy::RetryPriority {
    let config = pack(&PreviousPrioritiesConfig {
        update_frequency: 2,
    });
    retry_policy::RetryPriority {
        name: "envoy.retry_priorities.previous_priorities".to_owned(),
        config_type: Some(retry_policy::retry_priority::ConfigType::TypedConfig(
            config,
        )),
    }
}
