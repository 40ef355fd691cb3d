//! The request as the upstream gets it.

use super::Flight;
use crate::config::{Forward, WeightedCluster};
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
    let before = forward.keep_host.then(|| flight.request.authority.clone());
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
    if let Some(before) = before.filter(|before| *before != flight.request.authority) {
        let fields = &mut flight.request.fields;
        fields.push("x-forwarded-host", before.as_bytes());
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
    let asked = forward.max_grpc_timeout.and_then(|cap| {
        let asked = grpc_timeout(fields.text("grpc-timeout")?)?;
        Some(if cap.is_zero() { asked } else { asked.min(cap) })
    });
    asked.or(forward.timeout).filter(|limit| !limit.is_zero())
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
