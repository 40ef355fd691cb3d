//! The small values that all resources are made of.

use super::{At, Fault, Outcome};
use crate::config::StringMatch;
use ipnet::IpNet;
use prost::Name;
use regex::Regex;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use weft_proto::pb::envoy::config::core::v3 as core;
use weft_proto::pb::envoy::r#type::matcher::v3::{
    RegexMatcher, StringMatcher, string_matcher::MatchPattern,
};
use weft_proto::pb::envoy::r#type::v3::{FractionalPercent, fractional_percent::DenominatorType};
use weft_proto::pb::google::protobuf::{self as pb, Any};
use weft_proto::type_url::{TYPED_STRUCT, XDS_TYPED_STRUCT};
use weft_proto::typed_struct::TypedStruct;

/// The message in `any`.
pub(super) fn unpack<M: prost::Message + Name + Default>(any: &Any) -> Outcome<M> {
    weft_proto::unpack(any).map_err(|error| Fault::new(error.to_string()))
}

/// The type that `any` stands for, without the part before the slash; looks into untyped structs.
pub(super) fn type_name(any: &Any) -> String {
    let url = match any.type_url.as_str() {
        TYPED_STRUCT | XDS_TYPED_STRUCT => <TypedStruct as prost::Message>::decode(&any.value[..])
            .map(|typed| typed.type_url)
            .unwrap_or_default(),
        url => url.to_owned(),
    };
    url.rsplit('/').next().unwrap_or_default().to_owned()
}

/// A duration, which must not be negative.
pub(super) fn duration(field: &str, value: Option<&pb::Duration>) -> Outcome<Option<Duration>> {
    value.map(positive).transpose().at(field)
}

fn positive(value: &pb::Duration) -> Outcome<Duration> {
    let refused = || Fault::new("is not a positive duration");
    let seconds = u64::try_from(value.seconds).map_err(|_| refused())?;
    let nanos = u32::try_from(value.nanos).map_err(|_| refused())?;
    Ok(Duration::new(seconds, nanos))
}

/// A duration where zero stands for no limit.
pub(super) fn limit(field: &str, value: Option<&pb::Duration>) -> Outcome<Option<Duration>> {
    Ok(duration(field, value)?.filter(|limit| !limit.is_zero()))
}

pub(super) fn flag(value: Option<&pb::BoolValue>, default: bool) -> bool {
    value.map_or(default, |value| value.value)
}

pub(super) fn number(value: Option<&pb::UInt32Value>, default: u32) -> u32 {
    value.map_or(default, |value| value.value)
}

/// Text that is absent when empty, as protobuf has it.
pub(super) fn text(value: &str) -> Option<Arc<str>> {
    (!value.is_empty()).then(|| value.into())
}

pub(super) fn texts(values: &[String]) -> Vec<Arc<str>> {
    values.iter().map(|value| value.as_str().into()).collect()
}

pub(super) fn port(value: u32) -> Outcome<u16> {
    u16::try_from(value).map_err(|_| Fault::new(format!("{value} is not a port")))
}

pub(super) fn status(value: u32) -> Outcome<u16> {
    match u16::try_from(value) {
        Ok(code @ 100..=999) => Ok(code),
        _ => Err(Fault::new(format!("{value} is not an HTTP status"))),
    }
}

/// A share in millionths.
pub(super) fn per_million(share: &FractionalPercent) -> u32 {
    let scale = match share.denominator() {
        DenominatorType::Hundred => 10_000,
        DenominatorType::TenThousand => 100,
        DenominatorType::Million => 1,
    };
    share.numerator.saturating_mul(scale).min(1_000_000)
}

/// A pattern that the whole text must match.
pub(super) fn whole(matcher: &RegexMatcher) -> Outcome<Arc<Regex>> {
    pattern(&format!(r"\A(?:{})\z", matcher.regex))
}

/// A pattern in RE2's syntax, which the regex crate shares.
pub(super) fn pattern(text: &str) -> Outcome<Arc<Regex>> {
    Regex::new(text)
        .map(Arc::new)
        .map_err(|error| Fault::new(format!("regular expression: {error}")))
}

pub(super) fn string_match(matcher: &StringMatcher) -> Outcome<StringMatch> {
    let ignore = matcher.ignore_case;
    match &matcher.match_pattern {
        Some(MatchPattern::Exact(text)) => Ok(StringMatch::Exact(text.as_str().into(), ignore)),
        Some(MatchPattern::Prefix(text)) => Ok(StringMatch::Prefix(text.as_str().into(), ignore)),
        Some(MatchPattern::Suffix(text)) => Ok(StringMatch::Suffix(text.as_str().into(), ignore)),
        Some(MatchPattern::Contains(text)) => {
            Ok(StringMatch::Contains(text.as_str().into(), ignore))
        }
        Some(MatchPattern::SafeRegex(regex)) => Ok(StringMatch::Regex(whole(regex)?)),
        Some(MatchPattern::Custom(_)) => Err(Fault::new("custom string matchers are unknown here")),
        None => Err(Fault::new("a string matcher without a pattern")),
    }
}

pub(super) fn range(range: &core::CidrRange) -> Outcome<IpNet> {
    let address: IpAddr = ip(&range.address_prefix)?;
    let length = number(range.prefix_len.as_ref(), 0);
    u8::try_from(length)
        .ok()
        .and_then(|length| IpNet::new(address, length).ok())
        .map(|net| net.trunc())
        .ok_or_else(|| Fault::new(format!("{address}/{length} is not a range")))
}

pub(super) fn ip(text: &str) -> Outcome<IpAddr> {
    text.parse()
        .map_err(|_| Fault::new(format!("`{text}` is not an IP address")))
}

/// The socket address in `address`, whose host may be a name.
pub(super) fn socket(address: Option<&core::Address>) -> Outcome<(Arc<str>, u16)> {
    let inner = address.and_then(|address| address.address.as_ref());
    match inner {
        Some(core::address::Address::SocketAddress(socket)) => {
            if socket.protocol() == core::socket_address::Protocol::Udp {
                return Err(Fault::new("UDP is not supported"));
            }
            let port = match &socket.port_specifier {
                Some(core::socket_address::PortSpecifier::PortValue(value)) => port(*value)?,
                _ => return Err(Fault::new("an address without a port number")),
            };
            Ok((socket.address.as_str().into(), port))
        }
        Some(core::address::Address::Pipe(_)) => Err(Fault::new("Unix sockets are not supported")),
        Some(core::address::Address::EnvoyInternalAddress(_)) => {
            Err(Fault::new("internal addresses are not supported"))
        }
        None => Err(Fault::new("no address")),
    }
}

/// The numeric socket address in `address`, as a bootstrap has it for the admin interface.
///
/// # Errors
/// What is wrong with it.
pub fn address(address: &core::Address) -> Outcome<SocketAddr> {
    socket_address(Some(address))
}

/// The numeric socket address in `address`.
pub(super) fn socket_address(address: Option<&core::Address>) -> Outcome<SocketAddr> {
    let (host, port) = socket(address)?;
    Ok(SocketAddr::new(ip(&host)?, port))
}

/// The text of a data source that is given inline.
pub(super) fn inline(source: &core::DataSource) -> Outcome<Vec<u8>> {
    use core::data_source::Specifier;
    match &source.specifier {
        Some(Specifier::InlineBytes(bytes)) => Ok(bytes.clone()),
        Some(Specifier::InlineString(text)) => Ok(text.clone().into_bytes()),
        Some(Specifier::Filename(path)) => {
            std::fs::read(path).map_err(|error| Fault::new(format!("read {path}: {error}")))
        }
        Some(Specifier::EnvironmentVariable(_)) | None => {
            Err(Fault::new("a data source must be inline or a file"))
        }
    }
}
