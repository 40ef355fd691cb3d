//! New paths, hosts and redirects.

use crate::config::{Forward, PathMatch, Redirect, RegexRewrite, RouteMatch};
use crate::data::http::head::Request;

/// Rewrites path and host as the route says; the old path stays in `x-envoy-original-path`.
pub fn rewrite(forward: &Forward, matches: &RouteMatch, request: &mut Request) {
    let path = request.path();
    let new = match (&forward.prefix_rewrite, &forward.regex_rewrite) {
        (Some(prefix), _) => Some(replaced_prefix(matches, path, prefix)),
        (None, Some(regex)) => Some(replaced_pattern(regex, path)),
        (None, None) => None,
    };
    if let Some(new) = new {
        request
            .fields
            .set("x-envoy-original-path", request.target.clone().as_bytes());
        request.target = with_query(new, request.query());
    }
    if let Some(host) = &forward.host_rewrite {
        host.as_ref().clone_into(&mut request.authority);
    }
}

/// The matched part of `path` replaced. Source: Envoy `prefix_rewrite`.
fn replaced_prefix(matches: &RouteMatch, path: &str, new: &str) -> String {
    let rest = match &matches.path {
        PathMatch::Prefix(prefix) | PathMatch::Exact(prefix) => &path[prefix.len()..],
        PathMatch::SegmentPrefix(prefix) => &path[prefix.trim_end_matches('/').len()..],
        PathMatch::Regex(_) => return new.to_owned(),
    };
    let joined = match &matches.path {
        PathMatch::SegmentPrefix(_) if rest.starts_with('/') => {
            format!("{}{rest}", new.trim_end_matches('/'))
        }
        PathMatch::SegmentPrefix(_)
        | PathMatch::Prefix(_)
        | PathMatch::Exact(_)
        | PathMatch::Regex(_) => format!("{new}{rest}"),
    };
    if joined.starts_with('/') {
        joined
    } else {
        format!("/{joined}")
    }
}

fn replaced_pattern(regex: &RegexRewrite, path: &str) -> String {
    let new = regex
        .pattern
        .replace_all(path, &*regex.substitution)
        .into_owned();
    if new.starts_with('/') {
        new
    } else {
        format!("/{new}")
    }
}

fn with_query(mut path: String, query: Option<&str>) -> String {
    if let Some(query) = query {
        path.push('?');
        path.push_str(query);
    }
    path
}

/// The `location` of a redirect. Source: Envoy `newUri`.
pub fn redirect(to: &Redirect, matches: &RouteMatch, request: &Request) -> String {
    let old = request.scheme;
    let scheme = to.scheme.as_deref().unwrap_or(old);
    let host = match &to.host {
        Some(host) => &**host,
        None if to.port.is_some() || scheme != old && is_usual_port(&request.authority, old) => {
            without_port(&request.authority)
        }
        None => &request.authority,
    };
    let path = match (&to.path, &to.prefix_rewrite) {
        (Some(path), _) => path.to_string(),
        (None, Some(prefix)) => replaced_prefix(matches, request.path(), prefix),
        (None, None) => request.path().to_owned(),
    };
    let query = request
        .query()
        .filter(|_| !to.strip_query && !path.contains('?'));
    let port = to.port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{scheme}://{host}{port}{}", with_query(path, query))
}

fn is_usual_port(authority: &str, scheme: &str) -> bool {
    let port = &authority[without_port(authority).len()..];
    matches!((scheme, port), ("http", ":80") | ("https", ":443"))
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        Some(_) | None => authority,
    }
}
