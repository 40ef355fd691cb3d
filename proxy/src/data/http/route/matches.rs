//! Whether a route applies to a request. Source: Envoy `RouteMatch`.

use crate::config::{
    HeaderMatch, HeaderValueMatch, PathMatch, QueryMatch, Route, RouteMatch, StringMatch,
};
use crate::data::http::head::Request;
use percent_encoding::percent_decode_str;
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

/// Whether one header condition holds.
fn header(wanted: &HeaderMatch, request: &Request) -> bool {
    let value = value_of(&wanted.name, request)
        .or_else(|| wanted.missing_as_empty.then_some(Cow::Borrowed("")));
    // An inverted condition on a missing header holds, except that presence says so itself.
    let holds = match (&wanted.value, value) {
        (HeaderValueMatch::Present(present), value) => value.is_some() == *present,
        (_, None) => false,
        (HeaderValueMatch::String(condition), Some(value)) => condition.matches(&value),
        (HeaderValueMatch::Range(start, end), Some(value)) => value
            .parse()
            .is_ok_and(|number: i64| (*start..*end).contains(&number)),
    };
    holds != wanted.invert
}

/// The value of a header or pseudo header.
pub fn value_of<'a>(name: &str, request: &'a Request) -> Option<Cow<'a, str>> {
    match name {
        ":method" => Some(request.method.as_str().into()),
        ":path" => Some(request.target.as_str().into()),
        ":authority" | "host" => Some(request.authority.as_str().into()),
        ":scheme" => Some(request.scheme.into()),
        name => request.fields.joined(name),
    }
}

fn query(wanted: &QueryMatch, request: &Request) -> bool {
    let Some(value) = query_value(request, &wanted.name) else {
        return false;
    };
    wanted
        .value
        .as_ref()
        .is_none_or(|condition: &StringMatch| condition.matches(&value))
}

/// The first value of a query parameter, decoded.
pub fn query_value<'a>(request: &'a Request, name: &str) -> Option<Cow<'a, str>> {
    request.query()?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key) == name).then(|| decoded(value))
    })
}

fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}
