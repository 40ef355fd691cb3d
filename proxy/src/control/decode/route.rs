//! Route tables, virtual hosts and what a route matches.

use super::fault::each;
use super::header::{changes, lists};
use super::matching::{header, query};
use super::value::{flag, per_million, texts, unpack, whole};
use super::{At, Fault, Outcome, action, filter};
use crate::config::{PathMatch, Route, RouteMatch, RouteTable, VirtualHost};
use std::collections::BTreeSet;
use std::sync::Arc;
use weft_proto::pb::envoy::config::route::v3 as pb;
use weft_proto::pb::google::protobuf::Any;

/// A route table (RDS).
///
/// # Errors
/// The first field that is wrong or unknown here.
pub fn table(any: &Any) -> Outcome<RouteTable> {
    decode(&unpack(any)?)
}

pub(super) fn decode(from: &pb::RouteConfiguration) -> Outcome<RouteTable> {
    if from.vhds.is_some() {
        return Err(Fault::new("VHDS is not supported"));
    }
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
        virtual_hosts: each("virtual_hosts", &from.virtual_hosts, virtual_host)?,
        ignore_port_in_host: from.ignore_port_in_host_matching,
        headers: changes(&lists!(from))?,
    })
}

fn virtual_host(from: &pb::VirtualHost) -> Outcome<Arc<VirtualHost>> {
    if from.matcher.is_some() {
        return Err(Fault::new("route matcher trees are not supported"));
    }
    let routes = each("routes", &from.routes, |each| {
        route(each, from.retry_policy.as_ref())
    })?;
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

fn route(from: &pb::Route, retry: Option<&pb::RetryPolicy>) -> Outcome<Arc<Route>> {
    let matches = from.r#match.as_ref();
    let matches = matches.ok_or_else(|| Fault::new("a route without a match"))?;
    Ok(Arc::new(Route {
        name: from.name.as_str().into(),
        matches: route_match(matches).at("match")?,
        action: action::action(from, retry)?,
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
