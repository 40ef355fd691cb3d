//! What an access log may say of one request or connection.

use super::super::Flags;
use crate::data::conn::{ConnInfo, PeerIdentity};
use crate::data::http::fields::Fields;
use crate::data::http::head::Request;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

/// One finished request or connection.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The client's connection.
    pub conn: &'a ConnInfo,
    /// The request; `None` for TCP.
    pub http: Option<HttpRecord<'a>>,
    /// Where it went; `None` if nowhere.
    pub upstream: Option<UpstreamRecord<'a>>,
    /// When it began.
    pub start: SystemTime,
    /// How long it took.
    pub duration: Duration,
    /// Response flags.
    pub flags: Flags,
    /// Name of the route; may be empty.
    pub route: &'a str,
    /// Body bytes from the client.
    pub bytes_received: u64,
    /// Body bytes to the client.
    pub bytes_sent: u64,
    /// Envoy `RESPONSE_CODE_DETAILS`, such as `via_upstream`; may be empty.
    pub code_details: &'a str,
    /// Envoy `CONNECTION_TERMINATION_DETAILS`; may be empty.
    pub termination: &'a str,
}

impl<'a> Record<'a> {
    /// A record of a TCP connection that went nowhere and carried nothing.
    pub fn of_connection(conn: &'a ConnInfo, start: SystemTime, flags: Flags) -> Self {
        Self {
            conn,
            http: None,
            upstream: None,
            start,
            duration: conn.started.elapsed(),
            flags,
            route: "",
            bytes_received: 0,
            bytes_sent: 0,
            code_details: "",
            termination: "",
        }
    }
}

/// The HTTP part of a record.
#[derive(Clone, Copy, Debug)]
pub struct HttpRecord<'a> {
    /// The request as the client sent it.
    pub request: &'a Request,
    /// Status; 0 if there was none.
    pub code: u16,
    /// Fields of the response.
    pub response: Option<&'a Fields>,
    /// gRPC status.
    pub grpc_status: Option<u32>,
    /// From the start to the end of the request.
    pub request_duration: Option<Duration>,
    /// From the start to the first byte of the upstream's response.
    pub response_duration: Option<Duration>,
}

/// The upstream part of a record.
#[derive(Clone, Copy, Debug)]
pub struct UpstreamRecord<'a> {
    /// The cluster's name.
    pub cluster: &'a str,
    /// The host that was chosen.
    pub host: Option<SocketAddr>,
    /// Our end of the connection to it.
    pub local: Option<SocketAddr>,
    /// Who it proved to be.
    pub peer: Option<&'a PeerIdentity>,
    /// Why no connection was made; may be empty.
    pub failure: &'a str,
}
