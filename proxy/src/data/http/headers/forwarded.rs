//! `x-request-id`, `x-forwarded-for`, `x-forwarded-proto` and Envoy's internal headers.

use crate::config::{Hcm, Underscores};
use crate::data::conn::ConnInfo;
use crate::data::http::fields::Fields;
use crate::data::http::head::Request;
use rand::Rng;
use std::net::IpAddr;

/// Headers by which a client from outside could steer the proxy.
const CONTROLS: [&str; 8] = [
    "x-envoy-internal",
    "x-envoy-original-path",
    "x-envoy-attempt-count",
    "x-envoy-retry-on",
    "x-envoy-max-retries",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-decorator-operation",
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
    let edge = hcm.use_remote_address && !is_internal(conn.remote.ip());
    if edge {
        fields.retain(|name, _| !CONTROLS.contains(&name));
    }
    if hcm.use_remote_address {
        append_client(conn.remote.ip(), fields);
        fields.set("x-forwarded-proto", request.scheme.as_bytes());
    } else {
        fields.set_if_absent("x-forwarded-proto", request.scheme.as_bytes());
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

fn append_client(client: IpAddr, fields: &mut Fields) {
    let value = match fields.joined("x-forwarded-for") {
        Some(before) => format!("{before},{client}"),
        None => client.to_string(),
    };
    fields.set("x-forwarded-for", value.as_bytes());
}

/// Private addresses, as Envoy's default `internal_address_config` once had them.
fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_loopback(),
    }
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
