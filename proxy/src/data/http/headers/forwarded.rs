//! `x-request-id`, `x-forwarded-for`, `x-forwarded-proto` and Envoy's internal headers.

use crate::config::{Hcm, Underscores};
use crate::data::conn::ConnInfo;
use crate::data::http::fields::Fields;
use crate::data::http::head::Request;
use rand::Rng;
use std::net::IpAddr;

/// Headers by which a client could steer the proxy. Envoy takes them from addresses that its
/// `internal_address_config` names only; since its 1.33 none are unless they are named.
const CONTROLS: [&str; 15] = [
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-force-trace",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-internal",
    "x-envoy-ip-tags",
    "x-envoy-max-retries",
    "x-envoy-original-url",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-rq-timeout-ms",
];

/// Headers that only proxies of ours say to one another, gone where the mesh begins.
const EDGE: [&str; 4] = [
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node",
];

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Obeys the manager's rule for names with underscores, which some servers read as dashes; false
/// refuses the request.
pub fn underscores(rule: Underscores, fields: &mut Fields) -> bool {
    match rule {
        Underscores::Allow => true,
        Underscores::Reject => fields.iter().all(|(name, _)| !name.contains('_')),
        Underscores::Drop => {
            fields.retain(|name, _| !name.contains('_'));
            true
        }
    }
}

/// Sets what every request carries, before routes are looked at.
pub fn prepare(hcm: &Hcm, conn: &ConnInfo, request: &mut Request) {
    let fields = &mut request.fields;
    fields.remove("x-envoy-original-path");
    let edge = hcm.use_remote_address;
    let internal = is_internal(hcm, conn, fields);
    if internal {
        fields.set("x-envoy-internal", b"true");
    } else {
        fields.retain(|name, _| {
            let steers = |list: &[&str]| name.starts_with("x-envoy-") && list.contains(&name);
            !(steers(&CONTROLS) || edge && steers(&EDGE))
        });
    }
    let edge = edge && !internal;
    if hcm.use_remote_address {
        append_client(conn.remote.ip(), fields);
        if edge {
            let client = conn.remote.ip().to_string();
            fields.set("x-envoy-external-address", client.as_bytes());
        }
        fields.set("x-forwarded-proto", request.scheme.as_bytes());
    } else {
        fields.set_if_absent("x-forwarded-proto", request.scheme.as_bytes());
        match fields.text("x-forwarded-proto") {
            Some("http") => request.scheme = "http",
            Some("https") => request.scheme = "https",
            Some(_) | None => {}
        }
    }
    if hcm.generate_request_id {
        if edge && !hcm.preserve_external_request_id {
            fields.remove("x-request-id");
        }
        if !fields.contains("x-request-id") {
            fields.push("x-request-id", &uuid(rand::rng().random()));
        }
    }
}

/// Whether the client may steer the proxy: the only address that is known of it is one of those
/// that the manager names.
fn is_internal(hcm: &Hcm, conn: &ConnInfo, fields: &Fields) -> bool {
    if hcm.internal.is_empty() {
        return false;
    }
    let forwarded = fields.joined("x-forwarded-for");
    let client = match (hcm.use_remote_address, forwarded) {
        (true, None) => Some(conn.remote.ip()),
        (false, Some(only)) => only.trim().parse().ok(),
        (true, Some(_)) | (false, None) => None,
    };
    let named = |address| hcm.internal.iter().any(|range| range.contains(&address));
    client.is_some_and(named)
}

fn append_client(client: IpAddr, fields: &mut Fields) {
    let value = match fields.joined("x-forwarded-for") {
        Some(before) => format!("{before},{client}"),
        None => client.to_string(),
    };
    fields.set("x-forwarded-for", value.as_bytes());
}

/// A version 4 UUID (RFC 9562) of random bytes.
fn uuid(random: u128) -> [u8; 36] {
    let value = random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let digits = value.to_be_bytes();
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in digits.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 15)];
        at += 2;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_a_version_4_uuid() {
        let text = uuid(u128::MAX);
        assert_eq!(
            std::str::from_utf8(&text).unwrap(),
            "ffffffff-ffff-4fff-bfff-ffffffffffff"
        );
    }
}
