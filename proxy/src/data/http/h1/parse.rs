//! Bytes to heads: httparse's tokens under our own rules.

use super::framing;
use super::target;
use crate::data::http::fields::Fields;
use crate::data::http::head::{Length, Request, Response, Version};
use http::Method;
use std::mem::MaybeUninit;

/// Why a message was refused. The connection it came on cannot be used any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Against the grammar, or readable in two ways.
    #[error("malformed HTTP/1 message: {0}")]
    Malformed(&'static str),
    /// Head longer than allowed, or too many fields.
    #[error("message head is larger than the limit")]
    TooLarge,
    /// A transfer coding other than `chunked`.
    #[error("unknown transfer coding")]
    UnknownCoding,
    /// Neither HTTP/1.1 nor HTTP/1.0.
    #[error("unknown HTTP version")]
    UnknownVersion,
    /// HTTP/1.0 where it is not accepted.
    #[error("HTTP/1.0 is not accepted here")]
    OldVersion,
    /// `expect` with anything but `100-continue`.
    #[error("unknown expectation")]
    UnknownExpectation,
}

impl Refused {
    /// The status that a client gets.
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::TooLarge => 431,
            Self::UnknownCoding => 501,
            Self::UnknownVersion => 505,
            Self::OldVersion => 426,
            Self::UnknownExpectation => 417,
        }
    }
}

/// What a head may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the head.
    pub bytes: usize,
    /// Fields.
    pub fields: usize,
    /// Whether HTTP/1.0 is accepted.
    pub http_10: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 60 * 1024,
            fields: 100,
            http_10: false,
        }
    }
}

/// Finds the end of a head that begins at the start of `buffer`, of which `seen` bytes were looked
/// at before. `Ok(None)` wants more bytes.
///
/// # Errors
/// A bare LF, or more bytes than allowed.
pub fn find_end(buffer: &[u8], seen: usize, limit: usize) -> Result<Option<usize>, Refused> {
    let mut from = seen.saturating_sub(3);
    while let Some(offset) = buffer[from..].iter().position(|byte| *byte == b'\n') {
        let at = from + offset;
        if at == 0 || buffer[at - 1] != b'\r' {
            return Err(Refused::Malformed("bare line feed"));
        }
        if at >= limit {
            return Err(Refused::TooLarge);
        }
        if at >= 3 && &buffer[at - 3..at] == b"\r\n\r" {
            return Ok(Some(at + 1));
        }
        from = at + 1;
    }
    if buffer.len() > limit {
        Err(Refused::TooLarge)
    } else {
        Ok(None)
    }
}

/// Parses a complete request head, terminator included, into `request`.
///
/// # Errors
/// Everything that the tables of RFC 9112 forbid or leave open; see the tests.
pub fn request(head: &[u8], limits: Limits, request: &mut Request) -> Result<(), Refused> {
    let mut slots = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let slots = &mut slots[..limits.fields.min(MAX_FIELDS)];
    let mut parsed = httparse::Request::new(&mut []);
    let outcome = parsed.parse_with_uninit_headers(head, slots);
    check_complete(outcome, head.len())?;
    let method = parsed.method.unwrap_or_default();
    if method.len() > MAX_METHOD {
        return Err(Refused::Malformed("method"));
    }
    request.method =
        Method::from_bytes(method.as_bytes()).map_err(|_| Refused::Malformed("method"))?;
    request.version = match parsed.version {
        Some(1) => Version::Http11,
        _ if limits.http_10 => Version::Http10,
        _ => return Err(Refused::OldVersion),
    };
    request.fields.clear();
    copy_fields(parsed.headers, &mut request.fields)?;
    take_target(parsed.path.unwrap_or_default(), request)?;
    request.length = framing::of_request(&request.fields, request.version)?;
    request.connection = framing::take_wishes(&mut request.fields, request.version)?;
    take_expectation(request)?;
    if request.connection.upgrade && request.length != Length::Empty {
        return Err(Refused::Malformed("upgrade with a body"));
    }
    Ok(())
}

/// Parses a complete response head into a response to a request that was, or was not, a HEAD.
///
/// # Errors
/// As [`request`].
pub fn response(head: &[u8], limits: Limits, to_head: bool) -> Result<Response, Refused> {
    let mut slots = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let outcome = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut parsed,
        head,
        &mut slots,
    );
    check_complete(outcome, head.len())?;
    let version = if parsed.version == Some(1) {
        Version::Http11
    } else {
        Version::Http10
    };
    let status = parsed.code.unwrap_or_default();
    if !(100..1000).contains(&status) || parsed.headers.len() > limits.fields {
        return Err(Refused::Malformed("status line"));
    }
    let mut fields = Fields::default();
    copy_fields(parsed.headers, &mut fields)?;
    let length = framing::of_response(status, &fields, version, to_head)?;
    let mut connection = framing::take_wishes(&mut fields, version)?;
    connection.close |= length == Length::UntilClose;
    Ok(Response {
        status,
        fields,
        version,
        length,
        connection,
    })
}

/// Parses a block of trailer fields, terminator included, and drops those that must not trail.
///
/// # Errors
/// As [`request`].
pub fn trailers(block: &[u8], limits: Limits) -> Result<Fields, Refused> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let parsed = httparse::parse_headers(block, &mut slots).map_err(refusal)?;
    let httparse::Status::Complete((length, found)) = parsed else {
        return Err(Refused::Malformed("trailers"));
    };
    if length != block.len() || found.len() > limits.fields {
        return Err(Refused::Malformed("trailers"));
    }
    let mut fields = Fields::default();
    copy_fields(found, &mut fields)?;
    fields.retain(|name, _| framing::may_trail(name));
    Ok(fields)
}

/// Fields on the stack of a parse; a limit above it is this one.
const MAX_FIELDS: usize = 200;
const MAX_METHOD: usize = 32;

fn check_complete(
    outcome: Result<httparse::Status<usize>, httparse::Error>,
    length: usize,
) -> Result<(), Refused> {
    match outcome.map_err(refusal)? {
        httparse::Status::Complete(parsed) if parsed == length => Ok(()),
        // The end was found before: what httparse leaves over is an empty line in front.
        httparse::Status::Complete(_) | httparse::Status::Partial => {
            Err(Refused::Malformed("head"))
        }
    }
}

fn refusal(error: httparse::Error) -> Refused {
    match error {
        httparse::Error::TooManyHeaders => Refused::TooLarge,
        httparse::Error::Version => Refused::UnknownVersion,
        httparse::Error::HeaderName => Refused::Malformed("field name"),
        httparse::Error::HeaderValue => Refused::Malformed("field value"),
        httparse::Error::NewLine => Refused::Malformed("line end"),
        httparse::Error::Status => Refused::Malformed("status"),
        httparse::Error::Token => Refused::Malformed("start line"),
    }
}

fn copy_fields(parsed: &[httparse::Header<'_>], fields: &mut Fields) -> Result<(), Refused> {
    for field in parsed {
        // Some servers read these as the fields that they resemble.
        if field.name.eq_ignore_ascii_case("content_length")
            || field.name.eq_ignore_ascii_case("transfer_encoding")
        {
            return Err(Refused::Malformed("field name resembles a framing field"));
        }
        fields.push(field.name, field.value);
    }
    Ok(())
}

/// Makes authority and target canonical and takes `host` away.
fn take_target(written: &str, request: &mut Request) -> Result<(), Refused> {
    take_host(request)?;
    request.target.clear();
    let path = if request.method == Method::CONNECT {
        ""
    } else if written.starts_with('/') || (written == "*" && request.method == Method::OPTIONS) {
        written
    } else {
        let (_, authority, path) =
            target::split_absolute(written).ok_or(Refused::Malformed("request target"))?;
        if !target::is_authority(authority.as_bytes()) {
            return Err(Refused::Malformed("authority of the target"));
        }
        request.authority.clear();
        request.authority.push_str(authority);
        if !path.starts_with('/') {
            request.target.push('/');
        }
        path
    };
    request.target.push_str(path);
    let known = path.is_empty() || path == "*" || target::is_path(request.target.as_bytes());
    if request.method == Method::CONNECT && !target::is_authority(written.as_bytes()) {
        return Err(Refused::Malformed("authority of CONNECT"));
    }
    if known {
        Ok(())
    } else {
        Err(Refused::Malformed("request target"))
    }
}

fn take_host(request: &mut Request) -> Result<(), Refused> {
    request.authority.clear();
    match sole(&request.fields, "host").map_err(|()| Refused::Malformed("repeated host"))? {
        Some(host) if target::is_authority(host) => {
            let host = std::str::from_utf8(host).expect("authorities are ASCII");
            request.authority.push_str(host);
        }
        Some(_) => return Err(Refused::Malformed("host")),
        None if request.version == Version::Http10 => {}
        None => return Err(Refused::Malformed("missing host")),
    }
    request.fields.remove("host");
    Ok(())
}

fn take_expectation(request: &mut Request) -> Result<(), Refused> {
    match sole(&request.fields, "expect") {
        Ok(None) => return Ok(()),
        Ok(Some(value)) if value.eq_ignore_ascii_case(b"100-continue") => {}
        Ok(Some(_)) | Err(()) => return Err(Refused::UnknownExpectation),
    }
    request.connection.expect_continue =
        request.version == Version::Http11 && request.length != Length::Empty;
    request.fields.remove("expect");
    Ok(())
}

/// The only value of `name`; an error when there are several.
fn sole<'a>(fields: &'a Fields, name: &str) -> Result<Option<&'a [u8]>, ()> {
    let mut values = fields.all(name);
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(()),
    }
}
