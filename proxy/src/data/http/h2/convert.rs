//! Heads of the `http` crate to ours and back.

use crate::data::http::fields::Fields;
use crate::data::http::h1::framing::{content_length, is_hop_by_hop, may_trail};
use crate::data::http::h1::target::{is_authority, is_path};
use crate::data::http::head::{Length, Request, Response, Version, Wishes};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri};

/// Our form of a client's request head; `None` when it must not be forwarded.
pub(super) fn request_in(parts: &http::request::Parts, ended: bool) -> Option<Request> {
    let mut request = Request {
        method: parts.method.clone(),
        scheme: if parts.uri.scheme_str() == Some("https") {
            "https"
        } else {
            "http"
        },
        version: Version::Http2,
        ..Request::default()
    };
    fields_in(&parts.headers, &mut request.fields);
    request.authority = authority(&parts.uri, &mut request.fields)?;
    request.target = match parts
        .uri
        .path_and_query()
        .map(http::uri::PathAndQuery::as_str)
    {
        Some(path) if is_path(path.as_bytes()) => path.to_owned(),
        Some("*") if request.method == Method::OPTIONS => "*".to_owned(),
        None if request.method == Method::CONNECT => String::new(),
        Some(_) | None => return None,
    };
    request.length = length(&request.fields, ended)?;
    let promised = content_length(&request.fields).ok()?.unwrap_or(0);
    if (ended && promised > 0)
        || request
            .fields
            .iter()
            .any(|(name, _)| resembles_framing(name))
    {
        return None;
    }
    if request.fields.remove("expect") {
        let expect_continue = request.length != Length::Empty;
        request.connection = Wishes {
            expect_continue,
            ..Wishes::default()
        };
    }
    Some(request)
}

/// Some HTTP/1 servers read these as the fields that they resemble.
fn resembles_framing(name: &str) -> bool {
    matches!(name, "content_length" | "transfer_encoding")
}

/// `:authority`, else `host`; both must agree (RFC 9113 §8.3.1).
fn authority(uri: &Uri, fields: &mut Fields) -> Option<String> {
    let host = fields.text("host").map(str::to_owned);
    let hosts = fields.all("host").count();
    fields.remove("host");
    let authority = match (uri.authority(), host) {
        (Some(authority), Some(host)) if *authority != *host => return None,
        (Some(authority), _) => authority.as_str().to_owned(),
        (None, host) => host?,
    };
    (hosts <= 1 && is_authority(authority.as_bytes())).then_some(authority)
}

fn length(fields: &Fields, ended: bool) -> Option<Length> {
    let written = content_length(fields).ok()?;
    Some(match (ended, written) {
        (true, _) => Length::Empty,
        (false, Some(bytes)) => Length::Exactly(bytes),
        (false, None) => Length::Unknown,
    })
}

/// Cookies that came apart are joined again (RFC 9113 §8.2.3).
fn fields_in(headers: &HeaderMap, fields: &mut Fields) {
    for (name, value) in headers {
        let name = name.as_str();
        let trailers = name == "te" && value.as_bytes().eq_ignore_ascii_case(b"trailers");
        if name != "cookie" && (trailers || !is_hop_by_hop(name)) {
            fields.push(name, value.as_bytes());
        }
    }
    let cookies: Vec<&[u8]> = headers
        .get_all("cookie")
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if !cookies.is_empty() {
        fields.push("cookie", &cookies.join(&b"; "[..]));
    }
}

/// The request head for an upstream.
pub(super) fn request_out(request: &Request) -> Option<http::Request<()>> {
    let uri = Uri::builder()
        .scheme(request.scheme)
        .authority(request.authority.as_str())
        .path_and_query(request.target.as_str())
        .build()
        .ok()?;
    let mut head = http::Request::new(());
    *head.method_mut() = request.method.clone();
    *head.uri_mut() = uri;
    *head.version_mut() = http::Version::HTTP_2;
    fields_out(&request.fields, head.headers_mut(), |name| {
        !is_hop_by_hop(name) || name == "te"
    });
    Some(head)
}

/// Our form of an upstream's response head.
pub(super) fn response_in(parts: &http::response::Parts, ended: bool) -> Option<Response> {
    let mut response = Response::new(parts.status.as_u16());
    response.version = Version::Http2;
    fields_in(&parts.headers, &mut response.fields);
    response.length = length(&response.fields, ended)?;
    Some(response)
}

/// The response head for a client.
pub(super) fn response_out(response: &Response) -> http::Response<()> {
    let mut head = http::Response::new(());
    *head.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::BAD_GATEWAY);
    *head.version_mut() = http::Version::HTTP_2;
    fields_out(&response.fields, head.headers_mut(), |name| {
        !is_hop_by_hop(name)
    });
    head
}

/// Trailers that came.
pub(super) fn trailers_in(headers: &HeaderMap) -> Fields {
    let mut fields = Fields::default();
    fields_in(headers, &mut fields);
    fields.retain(|name, _| may_trail(name));
    fields
}

/// Trailers to send.
pub(super) fn trailers_out(fields: &Fields) -> HeaderMap {
    let mut headers = HeaderMap::new();
    fields_out(fields, &mut headers, |_| true);
    headers
}

/// Values share one allocation.
fn fields_out(fields: &Fields, headers: &mut HeaderMap, keep: impl Fn(&str) -> bool) {
    let mut text = Vec::with_capacity(fields.wire_bytes());
    for (_, value) in fields.iter() {
        text.extend_from_slice(value);
    }
    let mut values = Bytes::from(text);
    headers.reserve(fields.len());
    for (name, value) in fields.iter() {
        let value = HeaderValue::from_maybe_shared(values.split_to(value.len()));
        let name_in_form = HeaderName::from_bytes(name.as_bytes());
        // Both were checked when they were read; what a filter made odd is left out.
        if let (Ok(found), Ok(value)) = (name_in_form, value)
            && keep(name)
        {
            headers.append(found, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str, fields: &[(&str, &str)]) -> http::request::Parts {
        let mut builder = http::Request::builder().uri(uri);
        for (name, value) in fields {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    #[test]
    fn an_authority_and_a_host_must_agree() {
        let uri = "https://a.test/x?y";
        let request = request_in(&parts(uri, &[("host", "a.test")]), true).unwrap();
        assert_eq!((&*request.authority, &*request.target), ("a.test", "/x?y"));
        assert!(!request.fields.contains("host"));
        assert!(request_in(&parts(uri, &[("host", "b.test")]), true).is_none());
        assert!(request_in(&parts("/x", &[]), true).is_none());
    }

    #[test]
    fn cookies_become_one_field() {
        let fields = [("cookie", "a=1"), ("cookie", "b=2")];
        let request = request_in(&parts("http://a/", &fields), true).unwrap();
        assert_eq!(request.fields.text("cookie"), Some("a=1; b=2"));
    }

    #[test]
    fn odd_lengths_are_refused() {
        for bad in ["+1", "01", "1,1"] {
            assert!(request_in(&parts("http://a/", &[("content-length", bad)]), false).is_none());
        }
    }
}
