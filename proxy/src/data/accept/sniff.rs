//! Waiting for the first bytes, of the client or, for protocols in which it speaks first, the server.

use super::{Arrival, Refused, admit};
use crate::config::{NetworkFilter, Terminal};
use crate::data::detect::{self, Detected, Inspectors};
use crate::data::report::ListenerStats;
use crate::data::tcp::{self, Connected};
use crate::data::worker::Worker;
use std::future::pending;
use std::io;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a client may be silent before the server is asked whether it begins. A client that
/// begins does so at once; a banner must be there within 100 ms.
const GRACE: Duration = Duration::from_millis(20);
/// How long the rest of an unfinished beginning may take.
const REST: Duration = Duration::from_millis(250);
/// How long a ClientHello may take.
const HELLO: Duration = Duration::from_secs(10);

/// What came first.
#[derive(Debug, Default)]
pub(super) struct Sniffed {
    pub(super) detected: Detected,
    /// What was read of the client's bytes.
    pub(super) bytes: Vec<u8>,
    /// The upstream of the TCP chain, dialled to hear whether it speaks first.
    pub(super) early: Option<Connected>,
}

/// Finds out what the client, or else the server, speaks.
pub(super) async fn sniff(
    worker: &Worker,
    socket: &mut TcpStream,
    arrival: &Arrival,
    stats: &ListenerStats,
) -> Result<Sniffed, Refused> {
    let listener = &arrival.live.listener;
    let inspectors = Inspectors {
        tls: listener.tls_inspector,
        http: listener.http_inspector,
    };
    if !inspectors.tls && !inspectors.http {
        return Ok(Sniffed::default());
    }
    let mut bytes = Vec::new();
    let mut early = None;
    let begun = timeout(GRACE, begin(socket, &mut bytes))
        .await
        .is_ok_and(|read| read.is_ok());
    if !begun && bytes.is_empty() {
        let limit = listener.detect_timeout;
        tokio::select! {
            read = begin(socket, &mut bytes) => read?,
            () = server_first(worker, arrival, &mut early) => {
                return Ok(Sniffed { early, ..Sniffed::default() });
            }
            () = expiry(limit) => {
                stats.pre_cx_timeout.increment();
                if !listener.continue_on_timeout {
                    return Err(Refused::Silent(limit));
                }
                return Ok(Sniffed { early, ..Sniffed::default() });
            }
        }
    }
    let detected = finish(socket, &mut bytes, inspectors).await?;
    // Only the chain that it was dialled for may use it.
    let early = early.filter(|_| detected == Detected::default());
    Ok(Sniffed {
        detected,
        bytes,
        early,
    })
}

/// Reads the first bytes. Cancel-safe.
async fn begin(socket: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.reserve_exact(2048);
    socket.read_buf(bytes).await.map(drop)
}

/// Reads on until it is known what the bytes are, the client ends, or it waits for an answer.
async fn finish(
    socket: &mut TcpStream,
    bytes: &mut Vec<u8>,
    inspectors: Inspectors,
) -> io::Result<Detected> {
    while bytes.len() < detect::LONGEST {
        if let Some(detected) = detect::inspect(bytes, inspectors) {
            return Ok(detected);
        }
        let patience = if detect::is_certain_to_go_on(bytes) {
            HELLO
        } else {
            REST
        };
        match timeout(patience, socket.read_buf(bytes)).await {
            Ok(Ok(0)) | Err(_) => break,
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error),
        }
    }
    Ok(detect::guess(bytes))
}

/// Returns when it is clear without the client: its server has spoken, or only TLS would be served
/// and no ClientHello has come in time.
async fn server_first(worker: &Worker, arrival: &Arrival, early: &mut Option<Connected>) {
    let silent = Detected::default();
    let chain = arrival
        .chain(&silent)
        .filter(|(chain, _)| chain.tls.is_none());
    let Some((chain, drain)) = chain else {
        return tokio::time::sleep(HELLO).await;
    };
    let Terminal::Tcp(proxy) = &chain.terminal else {
        return pending().await;
    };
    let info = arrival.info(chain.clone(), drain, &silent);
    let allowed = chain.filters.iter().all(|NetworkFilter::Rbac(rbac)| {
        admit::decide(rbac, &admit::Facts::tcp(&info))
            .verdict
            .passes()
    });
    if !allowed {
        return pending().await;
    }
    let Ok(connected) = tcp::connect(proxy, &info, worker).await else {
        return pending().await;
    };
    early.insert(connected).readable().await;
}

/// Zero waits for ever.
async fn expiry(limit: Duration) {
    if limit.is_zero() {
        pending().await
    } else {
        tokio::time::sleep(limit.saturating_sub(GRACE)).await;
    }
}
