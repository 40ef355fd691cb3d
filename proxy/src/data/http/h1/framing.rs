//! What a head says about its body and its connection (RFC 9112 §6 and §9, RFC 9110 §7.6.1).

use super::parse::Refused;
use crate::data::http::fields::{Fields, elements};
use crate::data::http::head::{Length, Version, Wishes};

/// Framing of a request.
///
/// # Errors
/// Whatever two parsers could read differently: both lengths, odd lengths, unknown codings.
pub fn of_request(fields: &Fields, version: Version) -> Result<Length, Refused> {
    match (coding(fields, version)?, content_length(fields)?) {
        (true, None) => Ok(Length::Unknown),
        (true, Some(_)) => Err(Refused::Malformed(
            "transfer-encoding and content-length together",
        )),
        (false, Some(0)) | (false, None) => Ok(Length::Empty),
        (false, Some(length)) => Ok(Length::Exactly(length)),
    }
}

/// Framing of a response to a request that was, or was not, a HEAD.
///
/// # Errors
/// As [`of_request`].
pub fn of_response(
    status: u16,
    fields: &Fields,
    version: Version,
    head: bool,
) -> Result<Length, Refused> {
    let chunked = coding(fields, version)?;
    let length = content_length(fields)?;
    if chunked && length.is_some() {
        return Err(Refused::Malformed(
            "transfer-encoding and content-length together",
        ));
    }
    if status == 101 {
        return Ok(Length::UntilClose);
    }
    if head || status < 200 || status == 204 || status == 304 {
        return Ok(Length::Empty);
    }
    Ok(match (chunked, length) {
        (true, _) => Length::Unknown,
        (false, Some(0)) => Length::Empty,
        (false, Some(length)) => Length::Exactly(length),
        (false, None) => Length::UntilClose,
    })
}

/// Whether the message is chunked.
fn coding(fields: &Fields, version: Version) -> Result<bool, Refused> {
    let mut values = fields.all("transfer-encoding");
    let Some(value) = values.next() else {
        return Ok(false);
    };
    if values.next().is_some() {
        return Err(Refused::Malformed("repeated transfer-encoding"));
    }
    if version == Version::Http10 {
        return Err(Refused::Malformed("transfer-encoding in HTTP/1.0"));
    }
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(true);
    }
    let token = |element: &[u8]| {
        element
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    let known = value
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .all(|element| !element.is_empty() && token(element));
    Err(if known {
        Refused::UnknownCoding
    } else {
        Refused::Malformed("transfer-encoding")
    })
}

/// The one `content-length`: `1*DIGIT`, no list, no leading zero, no repetition.
pub fn content_length(fields: &Fields) -> Result<Option<u64>, Refused> {
    let mut values = fields.all("content-length");
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Refused::Malformed("repeated content-length"));
    }
    let plain = value == b"0"
        || (value.iter().all(u8::is_ascii_digit)
            && value.first().is_some_and(|first| *first != b'0'));
    let parsed = std::str::from_utf8(value)
        .ok()
        .filter(|_| plain)
        .and_then(|text| text.parse().ok());
    parsed.map(Some).ok_or(Refused::Malformed("content-length"))
}

/// Reads and removes everything that concerns this connection only.
///
/// # Errors
/// A `connection` field that names a field which frames or routes the message.
pub fn take_wishes(fields: &mut Fields, version: Version) -> Result<Wishes, Refused> {
    let mut wishes = Wishes {
        close: version == Version::Http10,
        ..Wishes::default()
    };
    let mut upgrade = false;
    let mut nominated: Vec<String> = Vec::new();
    for option in fields.all("connection").flat_map(elements) {
        match option.to_ascii_lowercase().as_slice() {
            b"close" => wishes.close = true,
            b"keep-alive" if version == Version::Http10 => wishes.close = false,
            b"keep-alive" | b"te" => {}
            b"upgrade" => upgrade = true,
            b"host" | b"content-length" | b"transfer-encoding" => {
                return Err(Refused::Malformed("connection names a framing field"));
            }
            other => nominated.push(String::from_utf8_lossy(other).into_owned()),
        }
    }
    if fields.lists("connection", "close") {
        wishes.close = true;
    }
    wishes.upgrade = upgrade && fields.contains("upgrade") && !fields.lists("upgrade", "h2c");
    let trailers = fields.lists("te", "trailers");
    fields.retain(|name, _| {
        !is_hop_by_hop(name)
            && (name != "upgrade" || wishes.upgrade)
            && !nominated.iter().any(|n| n == name)
    });
    if trailers {
        fields.push("te", b"trailers");
    }
    Ok(wishes)
}

/// Fields that never travel further than one connection.
pub fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "http2-settings"
    )
}

/// Whether a field may stand in trailers: never one that frames, routes or authenticates
/// (RFC 9110 §6.5.1).
pub fn may_trail(name: &str) -> bool {
    !is_hop_by_hop(name)
        && !matches!(
            name,
            "content-length"
                | "host"
                | "upgrade"
                | "authorization"
                | "cookie"
                | "set-cookie"
                | "trailer"
                | "content-encoding"
                | "content-type"
                | "content-range"
                | "cache-control"
                | "expect"
                | "forwarded"
                | "max-forwards"
                | "range"
                | "te"
                | "proxy-authorization"
                | "x-forwarded-client-cert"
                | "x-request-id"
        )
        && !name.starts_with("x-forwarded-")
        && !name.starts_with("x-envoy-")
}
