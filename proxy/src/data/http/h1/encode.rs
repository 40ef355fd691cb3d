//! Heads to bytes.

use crate::data::http::fields::Fields;
use crate::data::http::head::{Length, Request, Response, Version};
use http::Method;

/// Appends a request head. `keep` says whether the connection stays open for us.
pub fn request(request: &Request, keep: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(request.method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(request.target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    out.extend_from_slice(request.authority.as_bytes());
    out.extend_from_slice(b"\r\n");
    fields(&request.fields, out);
    match request.length {
        Length::Unknown => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Length::Empty
            if wants_length(&request.method) && !request.fields.contains("content-length") =>
        {
            out.extend_from_slice(b"content-length: 0\r\n");
        }
        Length::Empty | Length::Exactly(_) | Length::UntilClose => {}
    }
    if request.connection.expect_continue {
        out.extend_from_slice(b"expect: 100-continue\r\n");
    }
    if request.connection.upgrade {
        out.extend_from_slice(b"connection: upgrade\r\n");
    } else if !keep {
        out.extend_from_slice(b"connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Methods whose requests may have a body: without one they say so.
fn wants_length(method: &Method) -> bool {
    !matches!(
        *method,
        Method::GET | Method::HEAD | Method::DELETE | Method::CONNECT
    )
}

/// Appends a response head for a client of that version.
pub fn response(response: &Response, client: Version, keep: bool, out: &mut Vec<u8>) {
    // Source: Envoy; an old client may not take a newer version for an answer.
    out.extend_from_slice(match client {
        Version::Http10 => b"HTTP/1.0 ",
        Version::Http11 | Version::Http2 => b"HTTP/1.1 ",
    });
    push_number(u64::from(response.status), out);
    out.push(b' ');
    out.extend_from_slice(reason(response.status).as_bytes());
    out.extend_from_slice(b"\r\n");
    fields(&response.fields, out);
    if is_chunked(response.length, client) {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    if response.connection.upgrade {
        out.extend_from_slice(b"connection: upgrade\r\n");
    } else if !keep && !response.is_interim() {
        out.extend_from_slice(b"connection: close\r\n");
    } else if client == Version::Http10 {
        out.extend_from_slice(b"connection: keep-alive\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Whether a body of that length goes out in chunks: HTTP/1.0 clients get it until the close.
pub fn is_chunked(length: Length, client: Version) -> bool {
    length == Length::Unknown && client != Version::Http10
}

/// Appends fields, one line each.
pub fn fields(fields: &Fields, out: &mut Vec<u8>) {
    for (name, value) in fields.iter() {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the line in front of a chunk of that size.
pub fn chunk_size(size: usize, out: &mut Vec<u8>) {
    let mut digits = [0u8; 16];
    let mut at = digits.len();
    let mut rest = size;
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[rest & 15];
        rest >>= 4;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

/// Appends a decimal number.
pub fn push_number(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn reason(status: u16) -> &'static str {
    http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Unknown")
}
