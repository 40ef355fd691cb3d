//! Whether a route applies to a request. Source: Envoy `RouteMatch`.

use crate::config::{
    HeaderMatch, HeaderValueMatch, PathMatch, QueryMatch, Route, RouteMatch, StringMatch,
};
use crate::data::http::head::Request;
use std::borrow::Cow;

/// Whether `route` applies; `dice` is in `0..1_000_000`.
pub(super) fn applies(route: &Route, request: &Request, dice: u32) -> bool {
    let wanted = &route.matches;
    path(wanted, request.path())
        && (!wanted.grpc || request.is_grpc())
        && wanted.headers.iter().all(|wanted| header(wanted, request))
        && wanted.query.iter().all(|wanted| query(wanted, request))
        && wanted.fraction_per_million.is_none_or(|share| dice < share)
}

fn path(wanted: &RouteMatch, path: &str) -> bool {
    let starts = |prefix: &str| {
        path.get(..prefix.len())
            .is_some_and(|head| same(head, prefix, wanted.case_sensitive))
    };
    match &wanted.path {
        PathMatch::Prefix(prefix) => starts(prefix),
        PathMatch::SegmentPrefix(prefix) => {
            let prefix = prefix.trim_end_matches('/');
            starts(prefix) && matches!(path.as_bytes().get(prefix.len()), None | Some(b'/'))
        }
        PathMatch::Exact(exact) => same(path, exact, wanted.case_sensitive),
        PathMatch::Regex(pattern) => pattern.is_match(path),
    }
}

fn same(a: &str, b: &str, case_sensitive: bool) -> bool {
    if case_sensitive {
        a == b
    } else {
        a.eq_ignore_ascii_case(b)
    }
}

/// Whether one header condition holds: for one of the values, if there are several.
fn header(wanted: &HeaderMatch, request: &Request) -> bool {
    if let HeaderValueMatch::Present(present) = wanted.value {
        let there = value_of(&wanted.name, request).is_some();
        return (there == present) != wanted.invert;
    }
    let mut values = request
        .fields
        .all(&wanted.name)
        .map(String::from_utf8_lossy);
    let first = pseudo(&wanted.name, request)
        .map(Cow::Borrowed)
        .or_else(|| values.next())
        .or_else(|| wanted.missing_as_empty.then_some(Cow::Borrowed("")));
    // A condition on a missing value does not hold, inverted or not.
    let Some(first) = first else {
        return false;
    };
    let holds = meets(&wanted.value, &first) || values.any(|value| meets(&wanted.value, &value));
    holds != wanted.invert
}

fn meets(wanted: &HeaderValueMatch, value: &str) -> bool {
    match wanted {
        HeaderValueMatch::Present(present) => *present,
        HeaderValueMatch::String(condition) => condition.matches(value),
        HeaderValueMatch::Range(start, end) => value
            .parse()
            .is_ok_and(|number: i64| (*start..*end).contains(&number)),
    }
}

/// The value of a header or pseudo header.
pub fn value_of<'a>(name: &str, request: &'a Request) -> Option<Cow<'a, str>> {
    pseudo(name, request)
        .map(Cow::Borrowed)
        .or_else(|| request.fields.joined(name))
}

fn pseudo<'a>(name: &str, request: &'a Request) -> Option<&'a str> {
    match name {
        ":method" => Some(request.method.as_str()),
        ":path" => Some(&request.target),
        ":authority" | "host" => Some(&request.authority),
        ":scheme" => Some(request.scheme),
        _ => None,
    }
}

fn query(wanted: &QueryMatch, request: &Request) -> bool {
    let Some(value) = query_value(request, &wanted.name) else {
        return false;
    };
    wanted
        .value
        .as_ref()
        .is_none_or(|condition: &StringMatch| condition.matches(value))
}

/// The first value of a query parameter as it is written: Envoy decodes nothing here.
pub fn query_value<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.query()?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    })
}
