//! What a route does with a request.

use super::fault::each;
use super::header::{changes, lists};
use super::value::{duration, flag, number, pattern, per_million, port, status, text};
use super::{At, Fault, Outcome};
use crate::config::{
    Action, Forward, HashPolicy, Mirror, Redirect, RegexRewrite, Retry, RetryOn, WeightedCluster,
};
use std::sync::Arc;
use std::time::Duration;
use weft_proto::pb::envoy::config::route::v3 as pb;
use weft_proto::pb::envoy::r#type::matcher::v3::RegexMatchAndSubstitute;

/// Envoy's default of a route's `timeout`.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Envoy's default of `retry_back_off.base_interval`.
const BACK_OFF: Duration = Duration::from_millis(25);

pub(super) fn action(from: &pb::Route, retry: Option<&pb::RetryPolicy>) -> Outcome<Action> {
    match &from.action {
        Some(pb::route::Action::Route(route)) => {
            let forward = forward(route, retry).at("route")?;
            Ok(Action::Forward(Arc::new(forward)))
        }
        Some(pb::route::Action::Redirect(redirect)) => Ok(Action::Redirect(Arc::new(
            redirected(redirect).at("redirect")?,
        ))),
        Some(pb::route::Action::DirectResponse(answer)) => {
            let body = answer.body.as_ref().map(super::value::inline).transpose()?;
            Ok(Action::Respond {
                status: status(answer.status).at("direct_response")?,
                body: body.unwrap_or_default().into(),
            })
        }
        Some(pb::route::Action::FilterAction(_) | pb::route::Action::NonForwardingAction(_)) => {
            Err(Fault::new(
                "filter actions and non-forwarding actions are not supported",
            ))
        }
        None => Err(Fault::new("a route without an action")),
    }
}

fn forward(from: &pb::RouteAction, retry: Option<&pb::RetryPolicy>) -> Outcome<Forward> {
    let stream = from.max_stream_duration.as_ref();
    let whole = duration("timeout", from.timeout.as_ref())?.unwrap_or(TIMEOUT);
    let grpc = stream.and_then(|limits| limits.grpc_timeout_header_max.as_ref());
    let upgrades = from.upgrade_configs.iter().map(|upgrade| {
        let kind = upgrade.upgrade_type.to_ascii_lowercase().into();
        (kind, flag(upgrade.enabled.as_ref(), true))
    });
    Ok(Forward {
        clusters: clusters(from)?,
        prefix_rewrite: text(&from.prefix_rewrite),
        regex_rewrite: from.regex_rewrite.as_ref().map(rewrite).transpose()?,
        host_rewrite: host(from)?,
        timeout: Some(whole).filter(|limit| !limit.is_zero()),
        idle_timeout: duration("idle_timeout", from.idle_timeout.as_ref())?,
        max_grpc_timeout: duration("max_grpc_timeout", from.max_grpc_timeout.as_ref().or(grpc))?,
        retry: from
            .retry_policy
            .as_ref()
            .or(retry)
            .map(retried)
            .transpose()
            .at("retry_policy")?,
        mirrors: each(
            "request_mirror_policies",
            &from.request_mirror_policies,
            mirror,
        )?,
        hash: each("hash_policy", &from.hash_policy, hash)?,
        upgrades: upgrades.collect(),
    })
}

fn clusters(from: &pb::RouteAction) -> Outcome<Vec<WeightedCluster>> {
    use pb::route_action::ClusterSpecifier as Is;
    match &from.cluster_specifier {
        Some(Is::Cluster(name)) => Ok(vec![WeightedCluster {
            name: name.as_str().into(),
            weight: 1,
            headers: Default::default(),
            host_rewrite: None,
        }]),
        Some(Is::WeightedClusters(list)) => each("weighted_clusters", &list.clusters, weighted),
        Some(_) => Err(Fault::new(
            "clusters from headers or plugins are not supported",
        )),
        None => Err(Fault::new("no cluster")),
    }
}

fn weighted(from: &pb::weighted_cluster::ClusterWeight) -> Outcome<WeightedCluster> {
    use pb::weighted_cluster::cluster_weight::HostRewriteSpecifier as Is;
    let host_rewrite = match &from.host_rewrite_specifier {
        Some(Is::HostRewriteLiteral(host)) => text(host),
        None => None,
    };
    Ok(WeightedCluster {
        name: from.name.as_str().into(),
        weight: number(from.weight.as_ref(), 0),
        headers: changes(&lists!(from))?,
        host_rewrite,
    })
}

fn host(from: &pb::RouteAction) -> Outcome<Option<Arc<str>>> {
    use pb::route_action::HostRewriteSpecifier as Is;
    match &from.host_rewrite_specifier {
        Some(Is::HostRewriteLiteral(host)) => Ok(text(host)),
        // Endpoints of the mesh have no host name of their own, so there is nothing to rewrite to.
        Some(Is::AutoHostRewrite(_)) | None => Ok(None),
        Some(_) => Err(Fault::new("only literal host rewrites are supported")),
    }
}

/// RE2 writes groups as `\1`, the regex crate as `${1}`.
fn rewrite(from: &RegexMatchAndSubstitute) -> Outcome<RegexRewrite> {
    let regex = from.pattern.as_ref();
    let regex = regex.ok_or_else(|| Fault::new("a rewrite without a pattern"))?;
    let mut substitution = String::new();
    let mut rest = from.substitution.chars();
    while let Some(character) = rest.next() {
        match character {
            '$' => substitution.push_str("$$"),
            '\\' => match rest.next() {
                Some(digit) if digit.is_ascii_digit() => {
                    substitution.push_str(&format!("${{{digit}}}"));
                }
                Some(other) => substitution.push(other),
                None => return Err(Fault::new("a substitution ends in a backslash")),
            },
            other => substitution.push(other),
        }
    }
    Ok(RegexRewrite {
        pattern: pattern(&regex.regex)?,
        substitution: substitution.into(),
    })
}

fn mirror(from: &pb::route_action::RequestMirrorPolicy) -> Outcome<Mirror> {
    let share = from.runtime_fraction.as_ref();
    let share = share.and_then(|share| share.default_value.as_ref());
    Ok(Mirror {
        cluster: from.cluster.as_str().into(),
        per_million: share.map_or(1_000_000, per_million),
        host_suffix: !from.disable_shadow_host_suffix_append,
    })
}

fn hash(from: &pb::route_action::HashPolicy) -> Outcome<HashPolicy> {
    use pb::route_action::hash_policy::PolicySpecifier as Is;
    match &from.policy_specifier {
        Some(Is::Header(header)) => {
            let name = header.header_name.to_ascii_lowercase();
            Ok(HashPolicy::Header(name.into()))
        }
        Some(Is::Cookie(cookie)) => Ok(HashPolicy::Cookie {
            name: cookie.name.as_str().into(),
            path: cookie.path.as_str().into(),
            ttl: duration("ttl", cookie.ttl.as_ref())?,
        }),
        Some(Is::ConnectionProperties(_)) => Ok(HashPolicy::SourceIp),
        Some(Is::QueryParameter(query)) => Ok(HashPolicy::Query(query.name.as_str().into())),
        Some(Is::FilterState(_)) | None => Err(Fault::new("this hash policy is not supported")),
    }
}

fn retried(from: &pb::RetryPolicy) -> Outcome<Retry> {
    let back_off = from.retry_back_off.unwrap_or_default();
    let base = duration("base_interval", back_off.base_interval.as_ref())?.unwrap_or(BACK_OFF);
    let longest = duration("max_interval", back_off.max_interval.as_ref())?;
    let per_try = duration("per_try_timeout", from.per_try_timeout.as_ref())?;
    let previous = |predicate: &pb::retry_policy::RetryHostPredicate| {
        predicate.name == "envoy.retry_host_predicates.previous_hosts"
    };
    Ok(Retry {
        on: conditions(&from.retry_on),
        attempts: number(from.num_retries.as_ref(), 1),
        per_try_timeout: per_try.filter(|limit| !limit.is_zero()),
        status_codes: each(
            "retriable_status_codes",
            &from.retriable_status_codes,
            |code| status(*code),
        )?,
        base_interval: base,
        max_interval: longest.unwrap_or(base * 10),
        host_selection_attempts: u32::try_from(from.host_selection_retry_max_attempts.max(1))
            .unwrap_or(u32::MAX),
        avoid_previous_hosts: from.retry_host_predicate.iter().any(previous),
    })
}

/// Unknown conditions are passed over, as Envoy does.
fn conditions(text: &str) -> RetryOn {
    let mut on = RetryOn::default();
    for word in text.split(',').map(str::trim) {
        match word {
            "5xx" => on.server_error = true,
            "gateway-error" => on.gateway_error = true,
            "reset" => on.reset = true,
            "reset-before-request" => on.reset_before_request = true,
            "connect-failure" => on.connect_failure = true,
            "refused-stream" => on.refused_stream = true,
            "retriable-4xx" => on.retriable_4xx = true,
            "retriable-status-codes" => on.status_codes = true,
            "cancelled" => on.grpc_cancelled = true,
            "deadline-exceeded" => on.grpc_deadline_exceeded = true,
            "internal" => on.grpc_internal = true,
            "resource-exhausted" => on.grpc_resource_exhausted = true,
            "unavailable" => on.grpc_unavailable = true,
            _ => {}
        }
    }
    on
}

fn redirected(from: &pb::RedirectAction) -> Outcome<Redirect> {
    use pb::redirect_action::{PathRewriteSpecifier as Path, RedirectResponseCode as Code};
    let scheme = match &from.scheme_rewrite_specifier {
        Some(pb::redirect_action::SchemeRewriteSpecifier::HttpsRedirect(true)) => {
            Some("https".into())
        }
        Some(pb::redirect_action::SchemeRewriteSpecifier::SchemeRedirect(scheme)) => text(scheme),
        Some(pb::redirect_action::SchemeRewriteSpecifier::HttpsRedirect(false)) | None => None,
    };
    let (path, prefix_rewrite) = match &from.path_rewrite_specifier {
        Some(Path::PathRedirect(path)) => (text(path), None),
        Some(Path::PrefixRewrite(prefix)) => (None, text(prefix)),
        Some(_) => return Err(Fault::new("only path and prefix redirects are supported")),
        None => (None, None),
    };
    let code = match from.response_code() {
        Code::MovedPermanently => 301,
        Code::Found => 302,
        Code::SeeOther => 303,
        Code::TemporaryRedirect => 307,
        Code::PermanentRedirect => 308,
    };
    Ok(Redirect {
        scheme,
        host: text(&from.host_redirect),
        port: Some(port(from.port_redirect)?).filter(|port| *port != 0),
        path,
        prefix_rewrite,
        status: code,
        strip_query: from.strip_query,
    })
}
