//! What ring hash and maglev go by. Source: Envoy `RouteAction.HashPolicy`.

use super::Flight;
use crate::config::{Forward, HashPolicy};
use crate::data::http::fields::Fields;
use crate::data::http::head::Request;
use crate::data::http::route;
use std::time::Duration;
use xxhash_rust::xxh64::xxh64;

/// The hash of the request; a client without the cookie that it needs will be given one.
pub(super) fn of(flight: &mut Flight<'_>, forward: &Forward) -> Option<u64> {
    let mut all: Option<u64> = None;
    for key in &forward.hash {
        let Some(value) = hashed(flight, &key.policy) else {
            continue;
        };
        all = Some(all.map_or(value, |before| before.rotate_left(1) ^ value));
        if key.terminal {
            break;
        }
    }
    all
}

fn hashed(flight: &mut Flight<'_>, policy: &HashPolicy) -> Option<u64> {
    let request = &flight.request;
    let text = match policy {
        HashPolicy::Header(name) if request.fields.all(name).nth(1).is_some() => {
            return Some(of_all(request.fields.all(name).collect()));
        }
        HashPolicy::Header(name) => route::value_of(name, request)?.into_owned(),
        HashPolicy::Cookie { name, path, ttl } => match carried(request, name) {
            Some(value) => value,
            None => given(flight, name, path, (*ttl)?),
        },
        HashPolicy::SourceIp => flight.down.conn.remote.ip().to_string(),
        HashPolicy::Query(name) => route::query_value(request, name)?.to_owned(),
    };
    Some(xxh64(text.as_bytes(), 0))
}

/// Of several values of a field, whatever their order.
fn of_all(mut values: Vec<&[u8]>) -> u64 {
    values.sort_unstable();
    let chained = |before, value: &[u8]| xxh64(value, before);
    values.into_iter().fold(0, chained)
}

/// The cookie that the client sent.
fn carried(request: &Request, name: &str) -> Option<String> {
    let lines = request.fields.all("cookie");
    let mut texts = lines.filter_map(|line| std::str::from_utf8(line).ok());
    texts.find_map(|text| cookie(text, name)).map(str::to_owned)
}

fn cookie<'a>(cookies: &'a str, name: &str) -> Option<&'a str> {
    let pairs = cookies
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .into_iter()
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.trim_matches('"'))
}

/// The value of a new cookie, which the answer sets.
fn given(flight: &mut Flight<'_>, name: &str, path: &str, ttl: Duration) -> String {
    let value = format!("{:016x}", rand::random::<u64>());
    let line = line(name, &value, path, ttl);
    let mut fields = Fields::default();
    fields.push("set-cookie", line.as_bytes());
    flight.promise(&fields);
    value
}

/// A `set-cookie` (RFC 6265 §4.1) as Envoy writes it; a lifetime of zero is that of the session.
fn line(name: &str, value: &str, path: &str, ttl: Duration) -> String {
    let mut line = format!("{name}=\"{value}\"");
    if !ttl.is_zero() {
        line += &format!("; Max-Age={}", ttl.as_secs());
    }
    if !path.is_empty() {
        line += &format!("; Path={path}");
    }
    line + "; HttpOnly"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_lives_as_long_as_the_policy_says() {
        let seconds = Duration::from_secs;
        assert_eq!(
            line("user", "1f", "/", seconds(60)),
            "user=\"1f\"; Max-Age=60; Path=/; HttpOnly"
        );
        assert_eq!(line("user", "1f", "", seconds(0)), "user=\"1f\"; HttpOnly");
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        assert_eq!(cookie("a=1; user=\"x\"; b=2", "user"), Some("x"));
        assert_eq!(cookie("a=1; xuser=y", "user"), None);
    }
}
