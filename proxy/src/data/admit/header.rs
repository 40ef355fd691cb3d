//! Conditions on header fields, for routes and for policies.

use crate::config::{HeaderMatch, HeaderValueMatch};
use crate::data::http::head::Request;
use std::borrow::Cow;

/// Whether `request` satisfies `header`, as routes see it.
pub fn matches(header: &HeaderMatch, request: &Request) -> bool {
    satisfied(header, value(request, &header.name).as_deref())
}

/// As [`matches`], but a policy for `secret.com` also means `secret.com:8080` and `secret.com.`:
/// whoever can choose a spelling must not choose a policy by it.
pub(super) fn policy_matches(header: &HeaderMatch, request: &Request) -> bool {
    if !matches!(&*header.name, ":authority" | "host") {
        return matches(header, request);
    }
    let spelled = satisfied(header, Some(&request.authority));
    let bare = satisfied(header, Some(bare_host(&request.authority)));
    if header.invert {
        spelled && bare
    } else {
        spelled || bare
    }
}

fn satisfied(header: &HeaderMatch, value: Option<&str>) -> bool {
    let value = match value {
        None if header.missing_as_empty => Some(""),
        other => other,
    };
    let found = match (&header.value, value) {
        (HeaderValueMatch::Present(wanted), value) => value.is_some() == *wanted,
        // Envoy: a condition on an absent value is not satisfied, inverted or not.
        (HeaderValueMatch::String(_) | HeaderValueMatch::Range(..), None) => return header.invert,
        (HeaderValueMatch::String(condition), Some(value)) => condition.matches(value),
        (HeaderValueMatch::Range(start, end), Some(value)) => value
            .parse()
            .is_ok_and(|number| (*start..*end).contains(&number)),
    };
    found != header.invert
}

fn value<'a>(request: &'a Request, name: &str) -> Option<Cow<'a, str>> {
    let pseudo = match name {
        ":method" => request.method.as_str(),
        ":path" => request.target.as_str(),
        ":authority" | "host" => request.authority.as_str(),
        ":scheme" => request.scheme,
        name => return request.fields.joined(name),
    };
    Some(Cow::Borrowed(pseudo))
}

/// An authority without port and without the dot of a fully qualified name.
fn bare_host(authority: &str) -> &str {
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if is_port(port) => host,
        _ => authority,
    };
    host.strip_suffix('.').unwrap_or(host)
}
