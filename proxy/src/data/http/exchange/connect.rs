//! A connection for one try: an idle one, or a fresh one.

use crate::config::UpstreamProtocol;
use crate::data::choose::{Host, Upstream};
use crate::data::dial::{self, DialError, Offer};
use crate::data::http::failure::Failure;
use crate::data::http::h1::target::host_of;
use crate::data::http::head::{Request, Version};
use crate::data::http::pool::Connection;
use crate::data::http::{h1, h2};
use crate::data::worker::Worker;
use std::rc::Rc;

/// A connection to `host`, and whether it has carried requests before.
///
/// # Errors
/// Why there is none.
pub(super) async fn connect(
    worker: &Worker,
    upstream: &Upstream,
    host: &Rc<Host>,
    request: &Request,
    fresh: bool,
) -> Result<(Connection, bool), Failure> {
    let offer = offer(upstream.config.protocol, request);
    if !fresh && let Some(connection) = host.pool.take(offer) {
        return Ok((connection, true));
    }
    let permit = upstream.connection_permit().ok_or(Failure::Overflow)?;
    let _pending = upstream.pending_permit().ok_or(Failure::Overflow)?;
    let sni = host_of(&request.authority);
    let dialled = dial::connect(worker, upstream, host, offer, Some(sni)).await;
    let dialled = dialled.map_err(failure)?;
    if speaks_http2(dialled.alpn.as_deref(), offer) {
        let shared = h2::client::Connection::new(dialled.stream, permit).await;
        let connection = shared.map_err(Failure::Broken)?;
        host.pool.share(&connection, &upstream.config);
        return Ok((Connection::H2(connection), false));
    }
    let connection = h1::client::Connection::new(dialled, permit, &worker.http.buffers);
    Ok((Connection::H1(Box::new(connection)), false))
}

/// What ALPN agreed on, else what we offered.
fn speaks_http2(alpn: Option<&str>, offer: Offer) -> bool {
    match alpn {
        Some("h2" | "istio-h2") => true,
        Some("http/1.1" | "istio-http/1.1" | "http/1.0" | "istio-http/1.0") => false,
        Some(_) | None => offer == Offer::Http2,
    }
}

fn offer(protocol: UpstreamProtocol, request: &Request) -> Offer {
    match protocol {
        // An upgrade is an affair of HTTP/1.
        _ if request.connection.upgrade => Offer::Http1,
        UpstreamProtocol::Http1 => Offer::Http1,
        UpstreamProtocol::Http2 => Offer::Http2,
        UpstreamProtocol::Downstream if request.version == Version::Http2 => Offer::Http2,
        UpstreamProtocol::Downstream => Offer::Http1,
    }
}

fn failure(error: DialError) -> Failure {
    match error {
        DialError::Timeout { .. } => Failure::ConnectTimeout("connect timeout".to_owned()),
        DialError::Connect { error, .. } => {
            Failure::Connect(format!("delayed connect error: {error}"))
        }
        DialError::Tls { error, .. } => Failure::Connect(format!("TLS error: {error}")),
        DialError::Settings { reason, .. } => Failure::Connect(format!("TLS error: {reason}")),
    }
}
