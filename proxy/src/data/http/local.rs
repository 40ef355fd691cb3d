//! Answers that the proxy gives itself.

use super::failure::Failure;
use super::fields::Fields;
use super::h1::encode::push_number;
use super::head::{Length, Request, Response, Version};
use crate::data::report::Flag;
use bytes::Bytes;
use http::Method;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::borrow::Cow;

/// gRPC's own word for a deadline that has passed.
const DEADLINE_EXCEEDED: u32 = 4;

/// What a `grpc-message` escapes (gRPC over HTTP/2, "Status-Message").
const MESSAGE: &AsciiSet = &CONTROLS.add(b'%');

/// An answer before it has been put into the client's form.
#[derive(Clone, Debug)]
pub struct Local {
    /// HTTP status.
    pub status: u16,
    /// Body; a gRPC client gets it as its message.
    pub body: Bytes,
    /// Further fields.
    pub fields: Fields,
    /// Why, as a flag.
    pub flag: Option<Flag>,
    /// Why, as Envoy's details.
    pub details: Cow<'static, str>,
    /// Says that a gRPC client gets this status instead of the one that follows from HTTP's.
    pub grpc_status: Option<u32>,
}

impl Local {
    /// An answer with a status and a text.
    pub fn new(status: u16, body: impl Into<Bytes>, details: &'static str) -> Self {
        Self {
            status,
            body: body.into(),
            fields: Fields::default(),
            flag: None,
            details: details.into(),
            grpc_status: None,
        }
    }

    /// The same with a flag.
    pub fn flagged(self, flag: Flag) -> Self {
        Self {
            flag: Some(flag),
            ..self
        }
    }

    /// The same with one more field.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push(name, value.as_bytes());
        self
    }

    /// No route.
    pub fn no_route() -> Self {
        Self::new(404, "", "route_not_found").flagged(Flag::NoRouteFound)
    }

    /// The route's cluster does not exist.
    pub fn no_cluster(status: Option<u16>) -> Self {
        Self::new(status.unwrap_or(503), "", "cluster_not_found").flagged(Flag::NoClusterFound)
    }

    /// What the client is told about `failure`.
    pub fn failure(failure: &Failure, retried: bool) -> Self {
        let body = failure.body(retried).into_owned();
        let local = Self {
            details: failure.details(),
            ..Self::new(failure.status(), body, "")
        };
        match failure {
            Failure::Deadline => Self {
                grpc_status: Some(DEADLINE_EXCEEDED),
                ..local
            },
            Failure::Overflow => local.with("x-envoy-overloaded", "true"),
            Failure::NoHost
            | Failure::Connect(_)
            | Failure::ConnectTimeout(_)
            | Failure::Broken(_)
            | Failure::Timeout
            | Failure::PerTryTimeout
            | Failure::Idle { .. }
            | Failure::SlowRequest => local,
        }
        .flagged(failure.flag())
    }

    /// Head and body for the client that sent `request`.
    pub fn answer(mut self, request: &Request) -> (Response, Bytes) {
        if request.is_grpc() {
            return (self.grpc(), Bytes::new());
        }
        if !self.body.is_empty() {
            self.fields.set_if_absent("content-type", b"text/plain");
        }
        let unsaid = request.version == Version::Http2 && self.body.is_empty();
        let bodiless = unsaid || matches!(self.status, 100..=199 | 204 | 304);
        if !bodiless {
            let mut length = Vec::with_capacity(8);
            push_number(self.body.len() as u64, &mut length);
            self.fields.set("content-length", &length);
        }
        let empty = bodiless || self.body.is_empty() || request.method == Method::HEAD;
        let body = if empty { Bytes::new() } else { self.body };
        let length = if empty {
            Length::Empty
        } else {
            Length::Exactly(body.len() as u64)
        };
        (
            Response {
                status: self.status,
                fields: self.fields,
                length,
                ..Response::default()
            },
            body,
        )
    }

    fn grpc(self) -> Response {
        let mut fields = self.fields;
        fields.set("content-type", b"application/grpc");
        let status = self
            .grpc_status
            .unwrap_or_else(|| grpc_status_of(self.status));
        fields.set("grpc-status", status.to_string().as_bytes());
        if !self.body.is_empty() {
            let text = String::from_utf8_lossy(&self.body);
            let message = utf8_percent_encode(&text, MESSAGE).to_string();
            fields.set("grpc-message", message.as_bytes());
        }
        Response {
            status: 200,
            fields,
            ..Response::default()
        }
    }
}

/// gRPC status for an HTTP status. Source: gRPC "HTTP to gRPC Status Code Mapping".
pub fn grpc_status_of(status: u16) -> u32 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grpc_client_gets_its_status_in_a_head_without_body() {
        let request = Request {
            fields: [("content-type", "application/grpc")].into_iter().collect(),
            ..Request::default()
        };
        let (response, body) = Local::failure(&Failure::NoHost, false).answer(&request);
        assert_eq!((response.status, body.len()), (200, 0));
        assert_eq!(response.fields.text("grpc-status"), Some("14"));
        assert_eq!(
            response.fields.text("grpc-message"),
            Some("no healthy upstream")
        );
    }

    #[test]
    fn an_answer_to_head_has_a_length_and_no_body() {
        let request = Request {
            method: Method::HEAD,
            ..Request::default()
        };
        let (response, body) = Local::failure(&Failure::NoHost, false).answer(&request);
        assert_eq!(response.fields.text("content-length"), Some("19"));
        assert_eq!((response.length, body.len()), (Length::Empty, 0));
    }
}
