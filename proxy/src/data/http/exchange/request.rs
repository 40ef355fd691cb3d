//! The request as the upstream gets it.

use super::Flight;
use crate::config::{Forward, WeightedCluster};
use crate::data::http::fields::Fields;
use crate::data::http::h1::encode::push_number;
use crate::data::http::headers::{self, Values};
use crate::data::http::route::{self, Matched};
use std::time::Duration;

/// Rewrites path and host and changes headers as the route says.
pub(super) fn prepare(
    flight: &mut Flight<'_>,
    matched: &Matched,
    forward: &Forward,
    share: &WeightedCluster,
) {
    // Templates read what they say of fields from these.
    let mut fields = std::mem::take(&mut flight.request.fields);
    let values = Values {
        conn: &flight.down.conn,
        request: Some(&flight.request),
        status: None,
    };
    for edit in [
        &share.headers.request,
        &matched.route.headers.request,
        &matched.host.headers.request,
        &matched.table.config.headers.request,
    ] {
        headers::apply(edit, &mut fields, &values);
    }
    flight.request.fields = fields;
    let before = flight.request.authority.clone();
    route::rewrite(forward, &matched.route.matches, &mut flight.request);
    if let Some(host) = &share.host_rewrite {
        host.as_ref().clone_into(&mut flight.request.authority);
    }
    // A route that sets `host` or `:authority` means the authority.
    for name in ["host", ":authority"] {
        if let Some(host) = flight.request.fields.text(name).map(str::to_owned) {
            flight.request.authority = host;
            flight.request.fields.remove(name);
        }
    }
    if before != flight.request.authority {
        keep_host(&mut flight.request.fields, &before, forward.keep_host);
    }
}

/// Tells the upstream which host the client asked for.
fn keep_host(fields: &mut Fields, host: &str, forwarded: bool) {
    fields.set("x-envoy-original-host", host.as_bytes());
    if forwarded {
        let hosts = match fields.joined("x-forwarded-host") {
            Some(before) => format!("{before},{host}"),
            None => host.to_owned(),
        };
        fields.set("x-forwarded-host", hosts.as_bytes());
    }
}

/// The limit for the whole response: the client's wish, the route's, gRPC's own.
pub(super) fn timeout(flight: &mut Flight<'_>, forward: &Forward) -> Option<Duration> {
    let fields = &mut flight.request.fields;
    let wish = fields
        .text("x-envoy-upstream-rq-timeout-ms")
        .and_then(|text| text.parse().ok());
    if let Some(milliseconds) = wish {
        fields.remove("x-envoy-upstream-rq-timeout-ms");
        return Some(Duration::from_millis(milliseconds)).filter(|limit| !limit.is_zero());
    }
    let asked = forward.max_grpc_timeout.and_then(|cap| capped(fields, cap));
    asked.or(forward.timeout).filter(|limit| !limit.is_zero())
}

/// The end of a gRPC call, where the route lets its client say so.
pub(super) fn deadline(flight: &Flight<'_>, forward: &Forward) -> Option<Duration> {
    let cap = forward.max_grpc_deadline?;
    let asked = capped(&flight.request.fields, cap);
    asked.filter(|_| flight.request.is_grpc())
}

fn capped(fields: &Fields, cap: Duration) -> Option<Duration> {
    let asked = grpc_timeout(fields.text("grpc-timeout")?)?;
    Some(if cap.is_zero() { asked } else { asked.min(cap) }).filter(|asked| !asked.is_zero())
}

/// Tells the upstream how long its answer is waited for, the shorter of both limits.
pub(super) fn announce_limit(
    flight: &mut Flight<'_>,
    whole: Option<Duration>,
    one_try: Option<Duration>,
) {
    let Some(limit) = one_try.into_iter().chain(whole).min() else {
        return;
    };
    let mut text = Vec::with_capacity(8);
    push_number(
        u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
        &mut text,
    );
    flight
        .request
        .fields
        .set("x-envoy-expected-rq-timeout-ms", &text);
}

/// `grpc-timeout`: at most eight digits and a unit (gRPC over HTTP/2).
fn grpc_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grpc_timeout_has_few_digits_and_a_unit() {
        assert_eq!(grpc_timeout("100m"), Some(Duration::from_millis(100)));
        assert_eq!(grpc_timeout("2S"), Some(Duration::from_secs(2)));
        for bad in ["", "S", "99999999999H", "1x", "-1S", "1"] {
            assert_eq!(
                grpc_timeout(bad).filter(|time| !time.is_zero()),
                None,
                "{bad}"
            );
        }
    }
}
