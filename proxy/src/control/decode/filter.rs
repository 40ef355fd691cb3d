//! HTTP filters and their settings on routes.

use super::fault::each;
use super::value::{duration, number, per_million, status, string_match, type_name, unpack};
use super::{At, Fault, Outcome, rbac};
use crate::config::{
    Abort, Cors, Fault as Injected, HttpFilter, HttpFilterOverride, LocalRateLimit, Rbac,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use weft_proto::pb::envoy::config::core::v3::RuntimeFractionalPercent;
use weft_proto::pb::envoy::config::route::v3 as route;
use weft_proto::pb::envoy::extensions::filters::common::fault::v3::fault_delay::FaultDelaySecifier;
use weft_proto::pb::envoy::extensions::filters::http::cors::v3 as cors;
use weft_proto::pb::envoy::extensions::filters::http::fault::v3 as fault;
use weft_proto::pb::envoy::extensions::filters::http::local_ratelimit::v3 as limit;
use weft_proto::pb::envoy::extensions::filters::http::rbac::v3 as http_rbac;
use weft_proto::pb::envoy::extensions::filters::network::http_connection_manager::v3 as pb;
use weft_proto::pb::google::protobuf::Any;

const FAULT: &str = "envoy.extensions.filters.http.fault.v3.HTTPFault";
const CORS: &str = "envoy.extensions.filters.http.cors.v3.CorsPolicy";
const LIMIT: &str = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit";

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
    match type_name(any).as_str() {
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
    use fault::fault_abort::ErrorType;
    let from: fault::HttpFault = unpack(any)?;
    if !from.headers.is_empty() || from.response_rate_limit.is_some() {
        return Err(Fault::new(
            "fault headers and rate limits are not supported",
        ));
    }
    let mut decoded = Injected::default();
    if let Some(delay) = &from.delay {
        let share = delay.percentage.as_ref().map_or(0, per_million);
        decoded.delay = match &delay.fault_delay_secifier {
            Some(FaultDelaySecifier::FixedDelay(fixed)) => {
                duration("fixed_delay", Some(fixed))?.map(|delay| (share, delay))
            }
            Some(FaultDelaySecifier::HeaderDelay(_)) | None => None,
        };
    }
    if let Some(abort) = &from.abort {
        let share = abort.percentage.as_ref().map_or(0, per_million);
        decoded.abort = match &abort.error_type {
            Some(ErrorType::HttpStatus(code)) => Some((share, Abort::Http(status(*code)?))),
            Some(ErrorType::GrpcStatus(code)) => Some((share, Abort::Grpc(*code))),
            Some(ErrorType::HeaderAbort(_)) | None => None,
        };
    }
    Ok(Arc::new(decoded))
}

fn cors_policy(any: &Any) -> Outcome<Cors> {
    let from: cors::CorsPolicy = unpack(any)?;
    let origins = &from.allow_origin_string_match;
    Ok(Cors {
        origins: each("allow_origin_string_match", origins, string_match)?,
        methods: from.allow_methods.as_str().into(),
        headers: from.allow_headers.as_str().into(),
        expose: from.expose_headers.as_str().into(),
        max_age: from.max_age.as_str().into(),
        credentials: from.allow_credentials.is_some_and(|flag| flag.value),
        forward_unmatched_preflight: from
            .forward_not_matching_preflights
            .is_none_or(|flag| flag.value),
    })
}

fn rate_limit(any: &Any) -> Outcome<Arc<LocalRateLimit>> {
    let from: limit::LocalRateLimit = unpack(any)?;
    if !from.descriptors.is_empty() {
        return Err(Fault::new("rate limit descriptors are not supported"));
    }
    let off = |share: &Option<RuntimeFractionalPercent>| {
        let share = share
            .as_ref()
            .and_then(|share| share.default_value.as_ref());
        share.map_or(0, per_million) == 0
    };
    let bucket = from.token_bucket.unwrap_or_default();
    let unlimited =
        from.token_bucket.is_none() || off(&from.filter_enabled) || off(&from.filter_enforced);
    let code = from.status.as_ref().map_or(429, |status| status.code);
    Ok(Arc::new(LocalRateLimit {
        stat_prefix: from.stat_prefix.as_str().into(),
        max_tokens: if unlimited {
            u32::MAX
        } else {
            bucket.max_tokens
        },
        tokens_per_fill: number(bucket.tokens_per_fill.as_ref(), 1),
        fill_interval: duration("fill_interval", bucket.fill_interval.as_ref())?
            .unwrap_or(std::time::Duration::from_secs(1)),
        status: u16::try_from(code).unwrap_or(429).max(400),
        headers: from.enable_x_ratelimit_headers != 0,
    }))
}
