//! Route tables, virtual hosts and what a route matches.

use super::action::Inherited;
use super::fault::{each, unsupported};
use super::header::{changes, lists};
use super::matching::{header, query};
use super::value::{flag, per_million, texts, unpack, whole};
use super::{At, Fault, Outcome, action, filter};
use crate::config::{PathMatch, Route, RouteMatch, RouteTable, VirtualHost};
use std::collections::BTreeSet;
use std::sync::Arc;
use weft_proto::pb::envoy::config::route::v3::{self as pb, route_action::RequestMirrorPolicy};
use weft_proto::pb::google::protobuf::Any;

/// A route table (RDS).
///
/// # Errors
/// The first field that is wrong or unknown here.
pub fn table(any: &Any) -> Outcome<RouteTable> {
    decode(&unpack(any)?)
}

pub(super) fn decode(from: &pb::RouteConfiguration) -> Outcome<RouteTable> {
    unsupported(&[
        ("vhds", from.vhds.is_some()),
        (
            "internal_only_headers",
            !from.internal_only_headers.is_empty(),
        ),
        (
            "most_specific_header_mutations_wins",
            from.most_specific_header_mutations_wins,
        ),
        (
            "cluster_specifier_plugins",
            !from.cluster_specifier_plugins.is_empty(),
        ),
        ("vhost_header", !from.vhost_header.is_empty()),
        (
            "ignore_path_parameters_in_path_matching",
            from.ignore_path_parameters_in_path_matching,
        ),
        ("route_specifiers", !from.route_specifiers.is_empty()),
    ])?;
    let mut seen = BTreeSet::new();
    for host in &from.virtual_hosts {
        for domain in &host.domains {
            if !seen.insert(domain.to_ascii_lowercase()) {
                return Err(Fault::new(format!("the domain `{domain}` is there twice")))
                    .at("virtual_hosts");
            }
        }
    }
    Ok(RouteTable {
        name: from.name.as_str().into(),
        virtual_hosts: each("virtual_hosts", &from.virtual_hosts, |host| {
            virtual_host(host, &from.request_mirror_policies)
        })?,
        overrides: filter::overrides(&from.typed_per_filter_config)?,
        ignore_port_in_host: from.ignore_port_in_host_matching,
        headers: changes(&lists!(from))?,
    })
}

fn virtual_host(
    from: &pb::VirtualHost,
    mirrors: &[RequestMirrorPolicy],
) -> Outcome<Arc<VirtualHost>> {
    refuse(from)?;
    let inherited = Inherited {
        retry: from.retry_policy.as_ref(),
        mirrors: match from.request_mirror_policies.as_slice() {
            [] => mirrors,
            own => own,
        },
    };
    let routes = each("routes", &from.routes, |each| route(each, inherited))?;
    Ok(Arc::new(VirtualHost {
        name: from.name.as_str().into(),
        domains: texts(&from.domains),
        routes,
        headers: changes(&lists!(from))?,
        include_attempt_count: from.include_request_attempt_count,
        require_tls: from.require_tls() == pb::virtual_host::TlsRequirementType::All,
        overrides: filter::overrides(&from.typed_per_filter_config)?,
    }))
}

/// Fields that would change what is done with a request, and that we do not obey.
fn refuse(from: &pb::VirtualHost) -> Outcome<()> {
    use pb::virtual_host::TlsRequirementType::ExternalOnly;
    unsupported(&[
        ("matcher", from.matcher.is_some()),
        ("require_tls", from.require_tls() == ExternalOnly),
        ("cors", from.cors.is_some()),
        (
            "include_attempt_count_in_response",
            from.include_attempt_count_in_response,
        ),
        (
            "retry_policy_typed_config",
            from.retry_policy_typed_config.is_some(),
        ),
        ("hedge_policy", from.hedge_policy.is_some()),
        (
            "include_is_timeout_retry_header",
            from.include_is_timeout_retry_header,
        ),
        (
            "per_request_buffer_limit_bytes",
            from.per_request_buffer_limit_bytes.is_some(),
        ),
        (
            "request_body_buffer_limit",
            from.request_body_buffer_limit.is_some(),
        ),
        ("route_specifiers", !from.route_specifiers.is_empty()),
    ])
}

fn route(from: &pb::Route, inherited: Inherited<'_>) -> Outcome<Arc<Route>> {
    unsupported(&[
        (
            "per_request_buffer_limit_bytes",
            from.per_request_buffer_limit_bytes.is_some(),
        ),
        (
            "request_body_buffer_limit",
            from.request_body_buffer_limit.is_some(),
        ),
        ("route_specifiers", !from.route_specifiers.is_empty()),
    ])?;
    let matches = from.r#match.as_ref();
    let matches = matches.ok_or_else(|| Fault::new("a route without a match"))?;
    Ok(Arc::new(Route {
        name: from.name.as_str().into(),
        matches: route_match(matches).at("match")?,
        action: action::action(from, inherited)?,
        headers: changes(&lists!(from))?,
        overrides: filter::overrides(&from.typed_per_filter_config)?,
    }))
}

fn route_match(from: &pb::RouteMatch) -> Outcome<RouteMatch> {
    let unsupported = !from.cookies.is_empty()
        || from.tls_context.is_some()
        || !from.dynamic_metadata.is_empty()
        || !from.filter_state.is_empty();
    if unsupported {
        return Err(Fault::new(
            "cookies, TLS context, metadata and filter state cannot be matched",
        ));
    }
    let fraction = from.runtime_fraction.as_ref();
    Ok(RouteMatch {
        path: path(from)?,
        case_sensitive: flag(from.case_sensitive.as_ref(), true),
        headers: each("headers", &from.headers, header)?,
        query: each("query_parameters", &from.query_parameters, query)?,
        grpc: from.grpc.is_some(),
        fraction_per_million: fraction
            .and_then(|fraction| fraction.default_value.as_ref())
            .map(per_million),
    })
}

fn path(from: &pb::RouteMatch) -> Outcome<PathMatch> {
    use pb::route_match::PathSpecifier as Is;
    match &from.path_specifier {
        Some(Is::Prefix(text)) => Ok(PathMatch::Prefix(text.as_str().into())),
        Some(Is::Path(text)) => Ok(PathMatch::Exact(text.as_str().into())),
        Some(Is::PathSeparatedPrefix(text)) => Ok(PathMatch::SegmentPrefix(text.as_str().into())),
        Some(Is::SafeRegex(regex)) => Ok(PathMatch::Regex(whole(regex)?)),
        Some(Is::ConnectMatcher(_) | Is::PathMatchPolicy(_)) => {
            Err(Fault::new("CONNECT and path templates cannot be matched"))
        }
        None => Err(Fault::new("a route match without a path")),
    }
}
