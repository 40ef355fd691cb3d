//! What single values may be.

use super::Text;
use crate::duration;
use ipnet::IpNet;
use std::net::IpAddr;
use std::time::Duration;
use weft_api::networking::http_route::{Percent, StringMatch};

/// A value that cannot be used: where it stands, what it is, what to write instead.
#[derive(Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) field: String,
    pub(crate) message: String,
    pub(crate) remedy: &'static str,
}

/// A fault of `field`.
pub(crate) fn fault<T>(
    field: impl Into<String>,
    message: impl Into<String>,
    remedy: &'static str,
) -> Result<T, Fault> {
    Err(Fault {
        field: field.into(),
        message: message.into(),
        remedy,
    })
}

/// A duration above zero that proxies can count.
pub(crate) fn positive(field: &str, text: &str) -> Result<Duration, Fault> {
    const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
    match duration::parse(text) {
        Some(duration) if duration > LONGEST => fault(
            field,
            format!("`{text}` is more than ten years"),
            "leave it out for no limit",
        ),
        Some(duration) if !duration.is_zero() => Ok(duration),
        _ => fault(
            field,
            format!("`{text}` is not a time above zero"),
            "write a number and a unit, such as 1.5s or 100ms",
        ),
    }
}

/// [`positive`] for what may be absent.
pub(crate) fn optional(field: &str, text: Option<&String>) -> Result<Option<Duration>, Fault> {
    text.map(|text| positive(field, text)).transpose()
}

/// Percent as parts of a million.
pub(crate) fn parts(field: &str, percent: Percent) -> Result<u32, Fault> {
    if !(0.0..=100.0).contains(&percent.value) {
        let message = format!("{} is not a percentage", percent.value);
        return fault(field, message, "use a number from 0 to 100");
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    Ok((percent.value * 10_000.0).round() as u32)
}

/// A condition on a text; `None` if it has none, which means presence.
pub(crate) fn text(field: &str, of: &StringMatch) -> Result<Option<Text>, Fault> {
    match (&of.exact, &of.prefix, &of.regex) {
        (None, None, None) => Ok(None),
        (None, Some(empty), None) | (None, None, Some(empty)) if empty.is_empty() => fault(
            field,
            "an empty prefix or regex is met by everything",
            "leave the condition empty to ask for presence",
        ),
        (Some(exact), None, None) => Ok(Some(Text::Exact(exact.clone()))),
        (None, Some(prefix), None) => Ok(Some(Text::Prefix(prefix.clone()))),
        (None, None, Some(pattern)) if pattern == "*" => Ok(None),
        (None, None, Some(pattern)) => Ok(Some(Text::Regex(regex(field, pattern)?))),
        _ => fault(
            field,
            "it has more than one condition",
            "keep one of exact, prefix and regex",
        ),
    }
}

/// A pattern that proxies can compile.
pub(crate) fn regex(field: &str, pattern: &str) -> Result<String, Fault> {
    const LONGEST: usize = 1024;
    if pattern.len() > LONGEST {
        return fault(field, "the pattern is too long", "use at most 1024 bytes");
    }
    match regex::Regex::new(pattern) {
        Ok(_) => Ok(pattern.to_owned()),
        Err(_) => fault(
            field,
            format!("`{pattern}` is not a pattern"),
            "write a regular expression as RE2 reads it",
        ),
    }
}

/// A text on one line, as it goes into a header field.
pub(crate) fn line(field: &str, text: &str) -> Result<String, Fault> {
    match text.chars().any(char::is_control) {
        false => Ok(text.to_owned()),
        true => fault(field, "it has control characters", "write it on one line"),
    }
}

/// A value that a header field gets: a line, in which `%` begins or ends a command of Envoy's.
pub(crate) fn value(field: &str, text: &str) -> Result<String, Fault> {
    let mut parts = text.split('%').skip(1);
    while let Some(command) = parts.next() {
        let name = command.split(['(', ':']).next().unwrap_or_default();
        let known = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let closed = parts.next().is_some();
        // Two percent signs stand for one.
        if !closed || !(command.is_empty() || !name.is_empty() && name.bytes().all(known)) {
            return fault(
                field,
                format!("`{text}` has a `%` that begins no command"),
                "write %% for a percent sign",
            );
        }
    }
    line(field, text)
}

/// A name of a header field.
pub(crate) fn header(field: &str, name: &str) -> Result<String, Fault> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    match !name.is_empty() && name.bytes().all(token) {
        true => Ok(name.to_ascii_lowercase()),
        false => fault(
            field,
            format!("`{name}` is not the name of a header field"),
            "use letters, digits and hyphens",
        ),
    }
}

/// A port number.
pub(crate) fn port(field: &str, number: u32) -> Result<u16, Fault> {
    match u16::try_from(number) {
        Ok(port) if port != 0 => Ok(port),
        _ => fault(
            field,
            format!("{number} is not a port"),
            "use a number from 1 to 65535",
        ),
    }
}

/// An address, or a range of addresses.
pub(crate) fn net(field: &str, value: &str) -> Result<IpNet, Fault> {
    let net = value.parse::<IpNet>().map(|net| net.trunc());
    match net.or_else(|_| value.parse::<IpAddr>().map(IpNet::from)) {
        Ok(net) => Ok(net),
        Err(_) => fault(
            field,
            format!("`{value}` is no address and no range of addresses"),
            "write an address such as 10.1.2.3, or a range such as 10.1.0.0/16",
        ),
    }
}
