//! The one canonical request and response that routing, policy, telemetry and forwarding read.

use super::fields::Fields;
use http::Method;

/// HTTP version of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
    /// HTTP/2.
    Http2,
}

impl Version {
    /// As access logs write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }
}

/// How long a body is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Length {
    /// There is none.
    #[default]
    Empty,
    /// That many bytes.
    Exactly(u64),
    /// Unknown until its end; trailers may follow.
    Unknown,
    /// Until the peer closes the connection: HTTP/1 responses without length, and tunnels.
    UntilClose,
}

/// A request's head. `host` never stands among the fields: it is [`Request::authority`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// `http` or `https`, of the client's connection unless HTTP/2 said otherwise.
    pub scheme: &'static str,
    /// `Host`, `:authority`, or the authority of an absolute-form target, which wins.
    pub authority: String,
    /// Path with query; begins with `/`, or is `*`.
    pub target: String,
    /// The other fields.
    pub fields: Fields,
    /// What the client speaks.
    pub version: Version,
    /// How long the body is.
    pub length: Length,
    /// What the connection has to know.
    pub connection: Wishes,
}

/// What a head says about its connection; the fields that said so are removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The connection ends after this message.
    pub close: bool,
    /// The client waits for `100 Continue` before it sends the body.
    pub expect_continue: bool,
    /// An upgrade is asked for (`upgrade` field) or granted (101).
    pub upgrade: bool,
}

impl Request {
    /// Path without query.
    pub fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(self.target.as_str(), |(path, _)| path)
    }

    /// Query without `?`.
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// Whether it is gRPC, by its content type.
    pub fn is_grpc(&self) -> bool {
        self.fields.get("content-type").is_some_and(is_grpc)
    }
}

fn is_grpc(content_type: &[u8]) -> bool {
    content_type
        .strip_prefix(b"application/grpc")
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+')))
}

/// A response's head.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// Status, 100 to 999.
    pub status: u16,
    /// Fields.
    pub fields: Fields,
    /// What the upstream speaks.
    pub version: Version,
    /// How long the body is.
    pub length: Length,
    /// What the connection has to know.
    pub connection: Wishes,
}

impl Response {
    /// A response without body.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// Whether it precedes the final one.
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }

    /// Whether it is gRPC, by its content type.
    pub fn is_grpc(&self) -> bool {
        self.fields.get("content-type").is_some_and(is_grpc)
    }
}
