//! Conditions on header fields, for routes and for policies.

use super::Reading;
use crate::config::{HeaderMatch, HeaderValueMatch};
use crate::data::http::fields::{Fields, elements};
use crate::data::http::head::Request;
use smallvec::SmallVec;
use std::borrow::Cow;

/// Whether `request` satisfies `header`, as routes see it.
pub fn matches(header: &HeaderMatch, request: &Request) -> bool {
    let value = pseudo(request, &header.name).map(Cow::Borrowed);
    let value = value.or_else(|| request.fields.joined(&header.name));
    satisfied(header, value.as_deref())
}

/// As [`matches`], but what closes also finds a host with its port or final dot, and a value that is
/// one of several.
pub(super) fn policy_matches(header: &HeaderMatch, request: &Request, reading: Reading) -> bool {
    let reading = match header.invert {
        true => reading.inverted(),
        false => reading,
    };
    let found = match pseudo(request, &header.name) {
        Some(value) => {
            found(header, Some(value))
                || reading == Reading::Any
                    && matches!(&*header.name, ":authority" | "host")
                    && found(header, Some(bare_host(value)))
        }
        None if !request.fields.contains(&header.name) && !knows_absence(header) => return false,
        None => in_fields(header, &request.fields, reading),
    };
    found != header.invert
}

fn in_fields(header: &HeaderMatch, fields: &Fields, reading: Reading) -> bool {
    let mut lines = fields.all(&header.name);
    let first = lines.next();
    let several = lines.next().is_some();
    let whole = match first {
        Some(_) if several => found_in(header, &joined(fields, &header.name)),
        Some(line) => found_in(header, line),
        None => return found(header, None),
    };
    let among = |line: &[u8]| {
        let mut elements = elements(line);
        several && found_in(header, line) || elements.any(|element| found_in(header, element))
    };
    whole || reading == Reading::Any && fields.all(&header.name).any(among)
}

/// All lines with commas between them (RFC 9110 §5.3), on the stack unless they are long.
fn joined(fields: &Fields, name: &str) -> SmallVec<[u8; 512]> {
    let mut whole = SmallVec::new();
    for (at, line) in fields.all(name).enumerate() {
        if at > 0 {
            whole.push(b',');
        }
        whole.extend_from_slice(line);
    }
    whole
}

fn found_in(header: &HeaderMatch, value: &[u8]) -> bool {
    found(header, Some(&String::from_utf8_lossy(value)))
}

fn satisfied(header: &HeaderMatch, value: Option<&str>) -> bool {
    (value.is_some() || knows_absence(header)) && found(header, value) != header.invert
}

/// Whether the condition means anything where the header is missing. Envoy's others do not hold
/// then, inverted or not.
fn knows_absence(header: &HeaderMatch) -> bool {
    header.missing_as_empty || matches!(header.value, HeaderValueMatch::Present(_))
}

/// The condition on a value, before it is inverted. What is absent meets none but absence.
fn found(header: &HeaderMatch, value: Option<&str>) -> bool {
    let value = match value {
        None if header.missing_as_empty => Some(""),
        other => other,
    };
    match (&header.value, value) {
        (HeaderValueMatch::Present(wanted), value) => value.is_some() == *wanted,
        (HeaderValueMatch::String(_) | HeaderValueMatch::Range(..), None) => false,
        (HeaderValueMatch::String(condition), Some(value)) => condition.matches(value),
        (HeaderValueMatch::Range(start, end), Some(value)) => value
            .parse()
            .is_ok_and(|number| (*start..*end).contains(&number)),
    }
}

/// The parts of a head that HTTP/2 has among the fields.
fn pseudo<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    match name {
        ":method" => Some(request.method.as_str()),
        ":path" => Some(request.target.as_str()),
        ":authority" | "host" => Some(request.authority.as_str()),
        ":scheme" => Some(request.scheme),
        _ => None, // another field's name
    }
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
