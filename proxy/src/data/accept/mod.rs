//! From an accepted socket to a connection that its filter chain may serve.
//!
//! Where it wanted to go, which listener stands for that, what it speaks, which chain that makes,
//! who the client is, whether it may. Every early return is a [`Refused`] with a name.

mod chain;
mod origin;
mod sniff;

use super::admit::{self, Facts};
use super::conn::ConnInfo;
use super::detect::Detected;
use super::drain::Drain;
use super::listen::Live;
use super::report::{Flag, Flags, ListenerStats, Record};
use super::stream::{Plain, Stream};
use super::worker::Worker;
use super::{http, tcp, tls};
use crate::config::{FilterChain, NetworkFilter, Terminal};
use origin::Origin;
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::net::TcpStream;

/// Why a connection was not served.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{0} is this proxy's own port; a connection through it would go round for ever")]
    Loop(SocketAddr),
    #[error("no filter chain of {listener} matches; a client in plaintext needs PERMISSIVE")]
    NoChain { listener: Arc<str> },
    #[error("nothing that could be recognised came within {0:?}")]
    Silent(Duration),
    #[error("TLS handshake: {0}")]
    Handshake(io::Error),
    #[error("refused by policy {0}")]
    Denied(String),
    #[error(transparent)]
    Broken(#[from] io::Error),
}

/// What is known of a connection before its chain is.
struct Arrival {
    remote: SocketAddr,
    origin: Origin,
    live: Rc<Live>,
    started: Instant,
}

/// Serves `socket`, which the listener `bound` accepted, until it ends.
pub async fn serve(worker: Rc<Worker>, socket: TcpStream, remote: SocketAddr, bound: Rc<Live>) {
    let stats = worker.report.listener(&bound.listener.name);
    stats.cx_total.increment();
    stats.cx_active.increment();
    // Boxed: what only the beginning needs must not stay with every idle connection.
    match Box::pin(ready(&worker, socket, remote, bound, &stats)).await {
        Ok(ready) => run(ready, worker).await,
        Err(refused) => tracing::debug!(%remote, %refused, "connection not served"),
    }
    stats.cx_active.decrement();
}

/// A connection that may be served, and its upstream if that was needed already.
type Ready = (Stream, Rc<ConnInfo>, Option<Box<tcp::Connected>>);

async fn run((stream, info, early): Ready, worker: Rc<Worker>) {
    match info.chain.terminal.clone() {
        Terminal::Http(hcm) => http::serve(stream, info, hcm, worker).await,
        Terminal::Tcp(proxy) => Box::pin(tcp::serve(stream, &info, &proxy, &worker, early)).await,
    }
}

async fn ready(
    worker: &Rc<Worker>,
    socket: TcpStream,
    remote: SocketAddr,
    bound: Rc<Live>,
    stats: &ListenerStats,
) -> Result<Ready, Refused> {
    // A peer that has gone already is found out soon enough.
    let _ = socket.set_nodelay(true);
    let mut socket = socket;
    let started = Instant::now();
    let origin = origin::of(&socket, &bound.listener)?;
    let listeners = worker.listeners();
    if origin.redirected && listeners.is_own_port(origin.local.port()) {
        stats.refused.increment();
        return Err(reset(&socket, Refused::Loop(origin.local)));
    }
    let standing = bound.listener.use_original_dst && origin.redirected;
    let live = standing
        .then(|| listeners.standing_for(origin.local))
        .flatten()
        .unwrap_or(bound);
    let arrival = Arrival {
        remote,
        origin,
        live,
        started,
    };
    let sniffed = sniff::sniff(worker, &mut socket, &arrival, stats).await?;
    let Some((chain, drain)) = arrival.chain(&sniffed.detected) else {
        stats.no_filter_chain.increment();
        arrival.log_unmatched(worker, &sniffed.detected);
        let listener = Arc::clone(&arrival.live.listener.name);
        return Err(reset(&socket, Refused::NoChain { listener }));
    };
    let info = arrival.info(chain, drain, &sniffed.detected);
    let early = sniffed.early.map(Box::new);
    let socket = Plain::new(socket, sniffed.bytes);
    let (stream, info) = secured(worker, socket, info, &sniffed.detected, stats).await?;
    admitted(worker, &stream, &info)?;
    Ok((stream, Rc::new(info), early))
}

impl Arrival {
    fn chain(&self, detected: &Detected) -> Option<(Arc<FilterChain>, Drain)> {
        let properties = chain::Properties {
            local: self.origin.local,
            remote: self.remote,
            detected,
        };
        self.live.chain(chain::select(
            &self.live.listener.filter_chains,
            &properties,
        ))
    }

    fn info(&self, chain: Arc<FilterChain>, drain: Drain, detected: &Detected) -> ConnInfo {
        let plaintext = chain.tls.is_none();
        ConnInfo {
            remote: self.remote,
            local: self.origin.local,
            redirected: self.origin.redirected,
            sni: detected.sni.clone(),
            alpn: detected.protocols.first().filter(|_| plaintext).cloned(),
            tls: None,
            peer: None,
            listener: Arc::clone(&self.live.listener),
            chain,
            started: self.started,
            drain,
        }
    }

    /// Istio logs connections that match nothing, with flag `NR`.
    fn log_unmatched(&self, worker: &Worker, detected: &Detected) {
        let listener = &self.live.listener;
        let Some(chain) = listener
            .filter_chains
            .first()
            .filter(|_| !listener.access_log.is_empty())
        else {
            return;
        };
        let nobody = super::drain::DrainSender::new().subscribe();
        let conn = self.info(Arc::clone(chain), nobody, detected);
        let flags = Flags::from(Flag::NoRouteFound);
        let record = Record {
            code_details: "filter_chain_not_found",
            ..Record::of_connection(&conn, SystemTime::now(), flags)
        };
        worker.report.log(&listener.access_log, &record);
    }
}

/// Terminates TLS if the chain says so, and learns who the client is.
async fn secured(
    worker: &Worker,
    socket: Plain,
    mut info: ConnInfo,
    detected: &Detected,
    stats: &ListenerStats,
) -> Result<(Stream, ConnInfo), Refused> {
    let chain = Arc::clone(&info.chain);
    let Some(settings) = &chain.tls else {
        return Ok((Stream::Plain(socket), info));
    };
    let offered = &detected.protocols;
    let shaken = tls::accept(socket, &chain, settings, offered, worker)
        .await
        .map_err(|error| {
            stats.ssl_error.increment();
            Refused::Handshake(error)
        })?;
    stats.ssl_handshake.increment();
    info.tls = Some(shaken.parameters);
    info.peer = shaken.peer;
    info.alpn = shaken.alpn;
    Ok((shaken.stream, info))
}

/// Asks the chain's network filters.
fn admitted(worker: &Worker, stream: &Stream, info: &ConnInfo) -> Result<(), Refused> {
    for filter in &info.chain.filters {
        let NetworkFilter::Rbac(rbac) = filter;
        let decision = admit::decide(rbac, &Facts::tcp(info));
        count(worker, info, &decision);
        if !decision.verdict.passes() {
            let details = decision.verdict.details();
            log_denied(worker, info, &details);
            return Err(reset(stream.socket(), Refused::Denied(details)));
        }
    }
    Ok(())
}

/// A refused connection is logged where an accepted one would be, with the policy that refused it.
fn log_denied(worker: &Worker, info: &ConnInfo, details: &str) {
    let Terminal::Tcp(proxy) = &info.chain.terminal else {
        return;
    };
    let record = Record {
        termination: details,
        ..Record::of_connection(info, SystemTime::now(), Flags::NONE)
    };
    worker.report.log(&proxy.access_log, &record);
}

fn count(worker: &Worker, info: &ConnInfo, decision: &admit::Decision<'_>) {
    let prefix = match &info.chain.terminal {
        Terminal::Http(hcm) => &hcm.stat_prefix,
        Terminal::Tcp(proxy) => &proxy.stat_prefix,
    };
    let stats = worker.report.tcp_proxy(prefix);
    let counter = if decision.verdict.passes() {
        &stats.rbac_allowed
    } else {
        &stats.rbac_denied
    };
    counter.increment();
    match decision.shadow.map(|verdict| verdict.passes()) {
        Some(true) => stats.rbac_shadow_allowed.increment(),
        Some(false) => stats.rbac_shadow_denied.increment(),
        None => {}
    }
}

/// Makes the end of `socket` a reset: the client must not take a refusal for an empty answer.
fn reset(socket: &TcpStream, why: Refused) -> Refused {
    // A socket that cannot be set so is closed all the same.
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
    why
}

#[cfg(test)]
mod edge_tests;
#[cfg(test)]
mod tests;
