//! What is known about a downstream connection once it has been accepted.

use super::drain::Drain;
use crate::config::{Direction, FilterChain, Listener};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// A downstream connection's properties; they do not change while it lives.
#[derive(Clone, Debug)]
pub struct ConnInfo {
    /// The peer.
    pub remote: SocketAddr,
    /// Where the peer wanted to go: the original destination when redirected, else our address.
    pub local: SocketAddr,
    /// Whether `local` was recovered from a redirection.
    pub redirected: bool,
    /// Server name of the ClientHello, lower case.
    pub sni: Option<Arc<str>>,
    /// ALPN protocol that TLS agreed on; without TLS `h2c` or `http/1.1` if detection saw it.
    pub alpn: Option<Arc<str>>,
    /// TLS that we terminated.
    pub tls: Option<TlsParameters>,
    /// The peer's verified certificate.
    pub peer: Option<PeerIdentity>,
    /// The listener that it was handed to.
    pub listener: Arc<Listener>,
    /// The filter chain that it matched.
    pub chain: Arc<FilterChain>,
    /// When it was accepted.
    pub started: Instant,
    /// When it should end.
    pub drain: Drain,
}

impl ConnInfo {
    /// Which way it flows.
    pub fn direction(&self) -> Direction {
        self.listener.direction
    }
}

/// What a TLS handshake agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsParameters {
    /// `TLSv1.3` or `TLSv1.2`, as Envoy names them.
    pub version: &'static str,
    /// `TLS_AES_128_GCM_SHA256`.
    pub cipher: &'static str,
}

/// A certificate that was verified against the roots of its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    /// The URI name, `spiffe://<trust domain>/ns/<namespace>/sa/<account>` in the mesh.
    pub uri: Option<Arc<str>>,
    /// DNS names.
    pub dns: Vec<Arc<str>>,
    /// SHA-256 of the leaf certificate, lower-case hex.
    pub cert_sha256: Arc<str>,
    /// Subject in RFC 2253 form; empty in the mesh.
    pub subject: Arc<str>,
}
