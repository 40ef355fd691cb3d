//! HTTP filters and their settings on routes.

use super::fault::{each, unsupported};
use super::header::additions;
use super::value::{duration, flag, number, per_million, status, string_match, type_name, unpack};
use super::{At, Fault, Outcome, rbac};
use crate::config::{
    Abort, Cors, Fault as Injected, HttpFilter, HttpFilterOverride, LocalRateLimit, Rbac,
    TokenBucket,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use weft_proto::pb::envoy::config::core::v3::RuntimeFractionalPercent;
use weft_proto::pb::envoy::config::route::v3 as route;
use weft_proto::pb::envoy::extensions::filters::common::fault::v3::FaultDelay;
use weft_proto::pb::envoy::extensions::filters::common::fault::v3::fault_delay::FaultDelaySecifier;
use weft_proto::pb::envoy::extensions::filters::http::cors::v3 as cors;
use weft_proto::pb::envoy::extensions::filters::http::fault::v3 as fault;
use weft_proto::pb::envoy::extensions::filters::http::local_ratelimit::v3 as limit;
use weft_proto::pb::envoy::extensions::filters::http::rbac::v3 as http_rbac;
use weft_proto::pb::envoy::extensions::filters::network::http_connection_manager::v3 as pb;
use weft_proto::pb::envoy::r#type::v3 as pb_bucket;
use weft_proto::pb::google::protobuf::Any;

const FAULT: &str = "envoy.extensions.filters.http.fault.v3.HTTPFault";
const CORS: &str = "envoy.extensions.filters.http.cors.v3.CorsPolicy";
const LIMIT: &str = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit";

/// Types whose settings on routes are found by a fixed name.
const NAMES: [(&str, &str); 4] = [
    (
        "envoy.extensions.filters.http.rbac.v3.RBAC",
        "envoy.filters.http.rbac",
    ),
    (FAULT, "envoy.filters.http.fault"),
    (
        "envoy.extensions.filters.http.cors.v3.Cors",
        "envoy.filters.http.cors",
    ),
    (LIMIT, "envoy.filters.http.local_ratelimit"),
];

/// The filters before the router.
pub(super) fn all(list: &[pb::HttpFilter]) -> Outcome<Vec<HttpFilter>> {
    let mut filters = Vec::new();
    for (index, filter) in list.iter().enumerate() {
        let decoded = one(filter)
            .at(&filter.name)
            .at_entry("http_filters", index)?;
        filters.extend(decoded);
    }
    Ok(filters)
}

fn one(filter: &pb::HttpFilter) -> Outcome<Option<HttpFilter>> {
    let Some(pb::http_filter::ConfigType::TypedConfig(any)) = &filter.config_type else {
        return passed_over(filter, "one without a configuration of its own");
    };
    let kind = type_name(any);
    well_named(&filter.name, &kind)?;
    match kind.as_str() {
        "envoy.extensions.filters.http.router.v3.Router"
        | "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig"
        // ALPN towards mesh peers is chosen per connection anyhow.
        | "istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig" => Ok(None),
        "io.istio.http.peer_metadata.Config" => Ok(Some(HttpFilter::PeerMetadata)),
        "stats.PluginConfig" => Ok(Some(HttpFilter::IstioStats)),
        "envoy.extensions.filters.http.rbac.v3.RBAC" => {
            let from = unpack::<http_rbac::Rbac>(any)?;
            Ok(Some(HttpFilter::Rbac(Arc::new(policy(&from)?))))
        }
        FAULT => Ok(Some(HttpFilter::Fault(injected(any)?))),
        "envoy.extensions.filters.http.cors.v3.Cors" => Ok(Some(HttpFilter::Cors)),
        LIMIT => Ok(Some(HttpFilter::LocalRateLimit(rate_limit(any)?))),
        other => passed_over(filter, other),
    }
}

/// Settings of a filter under another name would be silently without effect.
fn well_named(name: &str, kind: &str) -> Outcome<()> {
    match NAMES.iter().find(|(known, _)| *known == kind) {
        Some((_, expected)) if *expected != name => Err(Fault::new(format!(
            "a filter of this type must be called `{expected}`, because routes change it by that name"
        ))),
        Some(_) | None => Ok(()),
    }
}

fn passed_over(filter: &pb::HttpFilter, what: &str) -> Outcome<Option<HttpFilter>> {
    if filter.is_optional || filter.disabled {
        return Ok(None);
    }
    Err(Fault::new(format!(
        "this proxy has no such filter ({what}), and it is not marked `is_optional`"
    )))
}

/// Settings by filter name, of a virtual host or a route.
pub(super) fn overrides(
    from: &HashMap<String, Any>,
) -> Outcome<BTreeMap<Arc<str>, HttpFilterOverride>> {
    let mut found = BTreeMap::new();
    for (name, any) in from {
        if let Some(decoded) = setting(any).at(name).at("typed_per_filter_config")? {
            found.insert(name.as_str().into(), decoded);
        }
    }
    Ok(found)
}

fn setting(any: &Any) -> Outcome<Option<HttpFilterOverride>> {
    match type_name(any).as_str() {
        FAULT => Ok(Some(HttpFilterOverride::Fault(injected(any)?))),
        CORS => Ok(Some(HttpFilterOverride::Cors(Arc::new(cors_policy(any)?)))),
        LIMIT => Ok(Some(HttpFilterOverride::LocalRateLimit(rate_limit(any)?))),
        "envoy.extensions.filters.http.rbac.v3.RBACPerRoute" => {
            let from: http_rbac::RbacPerRoute = unpack(any)?;
            let rbac = from.rbac.as_ref().map(policy).transpose()?;
            Ok(Some(HttpFilterOverride::Rbac(rbac.map(Arc::new))))
        }
        "envoy.config.route.v3.FilterConfig" => wrapped(&unpack(any)?),
        other => Err(Fault::new(format!("the settings {other} are unknown here"))),
    }
}

fn wrapped(from: &route::FilterConfig) -> Outcome<Option<HttpFilterOverride>> {
    match (&from.config, from.disabled) {
        (_, true) => Ok(Some(HttpFilterOverride::Disabled)),
        (Some(any), false) if from.is_optional => Ok(setting(any).unwrap_or_default()),
        (Some(any), false) => setting(any),
        (None, false) => Ok(None),
    }
}

fn policy(from: &http_rbac::Rbac) -> Outcome<Rbac> {
    if from.matcher.is_some() || from.shadow_matcher.is_some() {
        return Err(Fault::new("matchers are not supported, use rules"));
    }
    Ok(Rbac {
        rules: from.rules.as_ref().map(rbac::rules).transpose()?,
        shadow: from.shadow_rules.as_ref().map(rbac::rules).transpose()?,
        shadow_prefix: from.shadow_rules_stat_prefix.as_str().into(),
    })
}

fn injected(any: &Any) -> Outcome<Arc<Injected>> {
    let from: fault::HttpFault = unpack(any)?;
    unsupported(&[
        ("headers", !from.headers.is_empty()),
        ("response_rate_limit", from.response_rate_limit.is_some()),
        ("upstream_cluster", !from.upstream_cluster.is_empty()),
        ("downstream_nodes", !from.downstream_nodes.is_empty()),
        ("max_active_faults", from.max_active_faults.is_some()),
    ])?;
    Ok(Arc::new(Injected {
        delay: from.delay.as_ref().map(delay).transpose().at("delay")?,
        abort: from.abort.as_ref().map(abort).transpose().at("abort")?,
    }))
}

fn delay(from: &FaultDelay) -> Outcome<(u32, Duration)> {
    let share = from.percentage.as_ref().map_or(0, per_million);
    match &from.fault_delay_secifier {
        Some(FaultDelaySecifier::FixedDelay(fixed)) => {
            let fixed = duration("fixed_delay", Some(fixed))?;
            Ok((share, fixed.unwrap_or_default()))
        }
        Some(FaultDelaySecifier::HeaderDelay(_)) => {
            Err(Fault::new("delays from headers are not supported"))
        }
        None => Err(Fault::new("no fixed_delay")),
    }
}

fn abort(from: &fault::FaultAbort) -> Outcome<(u32, Abort)> {
    use fault::fault_abort::ErrorType;
    let share = from.percentage.as_ref().map_or(0, per_million);
    match &from.error_type {
        Some(ErrorType::HttpStatus(code)) => Ok((share, Abort::Http(status(*code)?))),
        Some(ErrorType::GrpcStatus(code)) => Ok((share, Abort::Grpc(*code))),
        Some(ErrorType::HeaderAbort(_)) => Err(Fault::new("aborts from headers are not supported")),
        None => Err(Fault::new("neither http_status nor grpc_status")),
    }
}

fn cors_policy(any: &Any) -> Outcome<Cors> {
    let from: cors::CorsPolicy = unpack(any)?;
    unsupported(&[(
        "allow_private_network_access",
        flag(from.allow_private_network_access.as_ref(), false),
    )])?;
    let origins = &from.allow_origin_string_match;
    Ok(Cors {
        origins: each("allow_origin_string_match", origins, string_match)?,
        methods: from.allow_methods.as_str().into(),
        headers: from.allow_headers.as_str().into(),
        expose: from.expose_headers.as_str().into(),
        max_age: from.max_age.as_str().into(),
        credentials: from.allow_credentials.map(|given| given.value),
        forward_unmatched_preflight: from
            .forward_not_matching_preflights
            .map(|given| given.value),
        enabled_per_million: share(from.filter_enabled.as_ref(), 1_000_000),
    })
}

/// A share in millionths; runtime keys are not looked up, their default counts.
fn share(from: Option<&RuntimeFractionalPercent>, default: u32) -> u32 {
    let given = from.and_then(|share| share.default_value.as_ref());
    given.map_or(default, per_million)
}

fn rate_limit(any: &Any) -> Outcome<Arc<LocalRateLimit>> {
    let from: limit::LocalRateLimit = unpack(any)?;
    unsupported(&[
        ("descriptors", !from.descriptors.is_empty()),
        ("rate_limits", !from.rate_limits.is_empty()),
        (
            "request_headers_to_add_when_not_enforced",
            !from.request_headers_to_add_when_not_enforced.is_empty(),
        ),
        (
            "local_rate_limit_per_downstream_connection",
            from.local_rate_limit_per_downstream_connection,
        ),
        (
            "local_cluster_rate_limit",
            from.local_cluster_rate_limit.is_some(),
        ),
        ("enable_retry_after_header", from.enable_retry_after_header),
    ])?;
    let bucket = from.token_bucket.as_ref().map(bucket).transpose();
    let code = from.status.as_ref().map_or(429, |status| status.code);
    let added = additions("response_headers_to_add", &from.response_headers_to_add)?;
    Ok(Arc::new(LocalRateLimit {
        stat_prefix: from.stat_prefix.as_str().into(),
        bucket: bucket.at("token_bucket")?,
        enabled_per_million: share(from.filter_enabled.as_ref(), 0),
        enforced_per_million: share(from.filter_enforced.as_ref(), 0),
        // Envoy: a status below 400 is 429 instead.
        status: u16::try_from(code)
            .ok()
            .filter(|code| *code >= 400)
            .unwrap_or(429),
        resource_exhausted: from.rate_limited_as_resource_exhausted,
        response: added,
        headers: from.enable_x_ratelimit_headers != 0,
    }))
}

fn bucket(from: &pb_bucket::TokenBucket) -> Outcome<TokenBucket> {
    let interval = duration("fill_interval", from.fill_interval.as_ref())?;
    let interval = interval.filter(|interval| !interval.is_zero());
    let interval = interval.ok_or_else(|| Fault::new("no fill_interval"))?;
    let per_fill = number(from.tokens_per_fill.as_ref(), 1);
    Ok(TokenBucket::new(from.max_tokens, per_fill, interval))
}
