//! A connection for one try: an idle one, or a fresh one.

use crate::config::UpstreamProtocol;
use crate::data::choose::{Host, Permit, Upstream};
use crate::data::dial::{self, DialError, Offer};
use crate::data::http::dialling::{Ended, Role};
use crate::data::http::failure::Failure;
use crate::data::http::h1::target::host_of;
use crate::data::http::head::{Request, Version};
use crate::data::http::pool::Connection;
use crate::data::http::{h1, h2};
use crate::data::worker::Worker;

/// Where a connection is wanted, and for what.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) worker: &'a Worker,
    pub(super) upstream: &'a Upstream,
    pub(super) host: &'a Host,
    pub(super) request: &'a Request,
}

/// A connection to the host, and whether it has carried requests before. `fresh` wants one that
/// has not.
///
/// # Errors
/// Why there is none.
pub(super) async fn connect(
    wanted: Wanted<'_>,
    fresh: bool,
) -> Result<(Connection, bool), Failure> {
    let offer = offer(wanted.upstream.config.protocol, wanted.request);
    if !fresh && let Some(connection) = wanted.host.pool.take(offer) {
        return Ok((connection, true));
    }
    let _pending = wanted.upstream.pending_permit().ok_or(Failure::Overflow)?;
    match offer {
        Offer::Http2 => shared(wanted).await,
        Offer::Http1 | Offer::Tcp => match turn(wanted, offer, fresh).await {
            Turn::Next(connection) => Ok((connection, true)),
            Turn::New(permit) => Ok((dialled(wanted, offer, permit).await?, false)),
        },
    }
}

/// What a request that had to wait may do.
enum Turn {
    /// Use what another request has left.
    Next(Connection),
    /// Make a connection.
    New(Permit),
}

/// Waits until there may be one more connection, or one is idle. `fresh` as in [`connect`].
async fn turn(wanted: Wanted<'_>, offer: Offer, fresh: bool) -> Turn {
    let Wanted { upstream, host, .. } = wanted;
    let _waiting = host.pool.wait();
    loop {
        if let Some(permit) = upstream.connection_permit() {
            return Turn::New(permit);
        }
        if host.active() <= host.pool.waiting() {
            // No request has a connection to it that could be waited for.
            return Turn::New(upstream.connection_beyond_limit());
        }
        tokio::select! {
            () = host.pool.freed() => {}
            () = upstream.connection_freed() => {}
        }
        if !fresh && let Some(connection) = host.pool.take(offer) {
            return Turn::Next(connection);
        }
    }
}

/// A connection that others may share: those that come while one is being made wait for it.
async fn shared(wanted: Wanted<'_>) -> Result<(Connection, bool), Failure> {
    let pool = &wanted.host.pool;
    loop {
        match pool.dialling.join() {
            Role::Lead(lead) => {
                let made = own(wanted).await;
                lead.end(match &made {
                    Ok(Connection::H2(_)) => Ended::LookAgain,
                    Ok(Connection::H1(_)) => Ended::NotShared,
                    Err(failure) => Ended::Failed(failure.clone()),
                });
                return Ok((made?, false));
            }
            Role::Follow(dial) => match dial.ended().await {
                Ended::LookAgain => {}
                Ended::NotShared => return Ok((own(wanted).await?, false)),
                Ended::Failed(failure) => return Err(failure),
            },
        }
        if let Some(connection) = pool.take(Offer::Http2) {
            return Ok((connection, true));
        }
    }
}

/// A connection of HTTP/2 if the peer speaks it: one to each host is always possible.
async fn own(wanted: Wanted<'_>) -> Result<Connection, Failure> {
    let permit = wanted.upstream.connection_permit();
    let permit = permit.unwrap_or_else(|| wanted.upstream.connection_beyond_limit());
    dialled(wanted, Offer::Http2, permit).await
}

async fn dialled(wanted: Wanted<'_>, offer: Offer, permit: Permit) -> Result<Connection, Failure> {
    let Wanted {
        worker,
        upstream,
        host,
        request,
    } = wanted;
    let sni = host_of(&request.authority);
    let dialled = dial::connect(worker, upstream, host, offer, Some(sni)).await;
    let dialled = dialled.map_err(failure)?;
    if speaks_http2(dialled.alpn.as_deref(), offer) {
        let shared = h2::client::Connection::new(dialled, permit).await;
        let connection = shared.map_err(Failure::Broken)?;
        host.pool.share(&connection, &upstream.config);
        return Ok(Connection::H2(connection));
    }
    let connection = h1::client::Connection::new(dialled, permit, &worker.http.buffers);
    Ok(Connection::H1(Box::new(connection)))
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
            let text = error.to_string();
            let what = text.split(" (os error").next().unwrap_or_default();
            Failure::Connect(format!("delayed connect error: {what}"))
        }
        DialError::Tls { error, .. } => Failure::Connect(format!("TLS error: {error}")),
        DialError::Settings { reason, .. } => Failure::Connect(format!("TLS error: {reason}")),
    }
}
