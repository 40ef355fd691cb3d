//! What a route does with a request.

use super::fault::{each, unsupported};
use super::header::{changes, lists};
use super::value::{duration, flag, limit, number, pattern, per_million, port, status, text};
use super::{At, Fault, Outcome, retry};
use crate::config::{
    Action, Forward, HashKey, HashPolicy, Mirror, Redirect, RegexRewrite, WeightedCluster,
};
use std::sync::Arc;
use std::time::Duration;
use weft_proto::pb::envoy::config::route::v3 as pb;
use weft_proto::pb::envoy::r#type::matcher::v3::RegexMatchAndSubstitute;

/// Envoy's default of a route's `timeout`.
const TIMEOUT: Duration = Duration::from_secs(15);

/// What routes without settings of their own get from their virtual host and table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inherited<'a> {
    pub(super) retry: Option<&'a pb::RetryPolicy>,
    pub(super) mirrors: &'a [pb::route_action::RequestMirrorPolicy],
}

pub(super) fn action(from: &pb::Route, inherited: Inherited<'_>) -> Outcome<Action> {
    match &from.action {
        Some(pb::route::Action::Route(route)) => {
            let forward = forward(route, inherited).at("route")?;
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

fn forward(from: &pb::RouteAction, inherited: Inherited<'_>) -> Outcome<Forward> {
    refuse(from)?;
    let mirrors = match from.request_mirror_policies.as_slice() {
        [] => inherited.mirrors,
        own => own,
    };
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
        keep_host: from.append_x_forwarded_host,
        no_cluster_status: no_cluster(from),
        timeout: Some(whole).filter(|limit| !limit.is_zero()),
        idle_timeout: duration("idle_timeout", from.idle_timeout.as_ref())?,
        max_grpc_timeout: duration("max_grpc_timeout", from.max_grpc_timeout.as_ref())?,
        max_grpc_deadline: duration("grpc_timeout_header_max", grpc)?,
        retry: from
            .retry_policy
            .as_ref()
            .or(inherited.retry)
            .map(retry::policy)
            .transpose()
            .at("retry_policy")?,
        mirrors: each("request_mirror_policies", mirrors, mirror)?,
        hash: each("hash_policy", &from.hash_policy, hash)?,
        upgrades: upgrades.collect(),
    })
}

/// Fields that would change what is done with a request, and that we do not obey.
fn refuse(from: &pb::RouteAction) -> Outcome<()> {
    let stream = from.max_stream_duration.unwrap_or_default();
    unsupported(&[
        ("metadata_match", from.metadata_match.is_some()),
        ("path_rewrite_policy", from.path_rewrite_policy.is_some()),
        ("path_rewrite", !from.path_rewrite.is_empty()),
        ("flush_timeout", from.flush_timeout.is_some()),
        (
            "retry_policy_typed_config",
            from.retry_policy_typed_config.is_some(),
        ),
        ("priority", from.priority != 0),
        ("cors", from.cors.is_some()),
        ("grpc_timeout_offset", from.grpc_timeout_offset.is_some()),
        (
            "internal_redirect_policy",
            from.internal_redirect_policy.is_some(),
        ),
        (
            "internal_redirect_action",
            from.internal_redirect_action != 0,
        ),
        ("hedge_policy", from.hedge_policy.is_some()),
        (
            "max_stream_duration.max_stream_duration",
            limit("max_stream_duration", stream.max_stream_duration.as_ref())?.is_some(),
        ),
        (
            "max_stream_duration.grpc_timeout_header_offset",
            stream.grpc_timeout_header_offset.is_some(),
        ),
    ])
}

fn no_cluster(from: &pb::RouteAction) -> Option<u16> {
    use pb::route_action::ClusterNotFoundResponseCode as Code;
    match from.cluster_not_found_response_code() {
        Code::ServiceUnavailable => None,
        Code::NotFound => Some(404),
        Code::InternalServerError => Some(500),
    }
}

fn clusters(from: &pb::RouteAction) -> Outcome<Vec<Arc<WeightedCluster>>> {
    use pb::route_action::ClusterSpecifier as Is;
    match &from.cluster_specifier {
        Some(Is::Cluster(name)) => Ok(vec![Arc::new(WeightedCluster {
            name: name.as_str().into(),
            weight: 1,
            headers: Default::default(),
            host_rewrite: None,
        })]),
        Some(Is::WeightedClusters(list)) => each("weighted_clusters", &list.clusters, |share| {
            weighted(share).map(Arc::new)
        }),
        Some(_) => Err(Fault::new(
            "clusters from headers or plugins are not supported",
        )),
        None => Err(Fault::new("no cluster")),
    }
}

fn weighted(from: &pb::weighted_cluster::ClusterWeight) -> Outcome<WeightedCluster> {
    use pb::weighted_cluster::cluster_weight::HostRewriteSpecifier as Is;
    unsupported(&[
        ("cluster_header", !from.cluster_header.is_empty()),
        ("metadata_match", from.metadata_match.is_some()),
        (
            "typed_per_filter_config",
            !from.typed_per_filter_config.is_empty(),
        ),
    ])?;
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
    unsupported(&[
        ("cluster_header", !from.cluster_header.is_empty()),
        (
            "request_headers_mutations",
            !from.request_headers_mutations.is_empty(),
        ),
        (
            "host_rewrite_literal",
            !from.host_rewrite_literal.is_empty(),
        ),
    ])?;
    let share = from.runtime_fraction.as_ref();
    let share = share.and_then(|share| share.default_value.as_ref());
    Ok(Mirror {
        cluster: from.cluster.as_str().into(),
        per_million: share.map_or(1_000_000, per_million),
        host_suffix: !from.disable_shadow_host_suffix_append,
    })
}

fn hash(from: &pb::route_action::HashPolicy) -> Outcome<HashKey> {
    Ok(HashKey {
        policy: hashed(from)?,
        terminal: from.terminal,
    })
}

fn hashed(from: &pb::route_action::HashPolicy) -> Outcome<HashPolicy> {
    use pb::route_action::hash_policy::PolicySpecifier as Is;
    match &from.policy_specifier {
        Some(Is::Header(header)) => {
            unsupported(&[("header.regex_rewrite", header.regex_rewrite.is_some())])?;
            let name = header.header_name.to_ascii_lowercase();
            Ok(HashPolicy::Header(name.into()))
        }
        Some(Is::Cookie(cookie)) => {
            unsupported(&[("cookie.attributes", !cookie.attributes.is_empty())])?;
            Ok(HashPolicy::Cookie {
                name: cookie.name.as_str().into(),
                path: cookie.path.as_str().into(),
                ttl: duration("ttl", cookie.ttl.as_ref())?,
            })
        }
        Some(Is::ConnectionProperties(_)) => Ok(HashPolicy::SourceIp),
        Some(Is::QueryParameter(query)) => Ok(HashPolicy::Query(query.name.as_str().into())),
        Some(Is::FilterState(_)) | None => Err(Fault::new("this hash policy is not supported")),
    }
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
