//! TLS that we terminate.

use super::{Cache, SECRET, Unusable, agreed, key, names, parameters, peer, peers, versions};
use crate::config::{FilterChain, TlsIdentity, TlsRoots, TlsServer};
use crate::data::conn::{PeerIdentity, TlsParameters};
use crate::data::stream::{Plain, Stream};
use crate::data::worker::Worker;
use rustls::{RootCertStore, ServerConfig};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsAcceptor;
use weft_identity::Identity;
use weft_identity::tls::{ClientCertificate, Names, mesh_server, outside_server};

/// A client that takes longer is refused.
const LIMIT: Duration = Duration::from_secs(10);

/// Server configurations by chain; the chain is kept, so that its address stays its own.
#[derive(Debug, Default)]
pub(super) struct Servers(Cache<(usize, bool), (Arc<FilterChain>, Arc<ServerConfig>)>);

impl Servers {
    pub(super) fn forget(&self) {
        self.0.forget();
    }
}

/// A finished handshake.
#[derive(Debug)]
pub struct Handshake {
    /// The connection.
    pub stream: Stream,
    /// What was agreed on.
    pub parameters: TlsParameters,
    /// What ALPN agreed on.
    pub alpn: Option<Arc<str>>,
    /// The client's verified certificate.
    pub peer: Option<PeerIdentity>,
}

/// Terminates the TLS of `chain` on `socket`; `None` if it is plaintext.
///
/// # Errors
/// Unusable settings, or what went wrong in the handshake.
pub async fn accept(
    socket: Plain,
    chain: &Arc<FilterChain>,
    tls: &TlsServer,
    offered: &[Arc<str>],
    worker: &Worker,
) -> io::Result<Handshake> {
    let identity = worker.secrets.current();
    // rustls refuses a client with whom it shares no protocol; Envoy goes on without one.
    let shared = offered.is_empty() || offered.iter().any(|name| tls.alpn.contains(name));
    let alpn: &[Arc<str>] = if shared { &tls.alpn } else { &[] };
    let key = (Arc::as_ptr(chain).addr(), shared);
    let make = || Ok((Arc::clone(chain), config(tls, alpn, identity.as_deref())?));
    let (_, config) = worker
        .tls
        .servers
        .0
        .get(key, identity.as_ref(), make)
        .map_err(io::Error::other)?;
    let stream = tokio::time::timeout(LIMIT, TlsAcceptor::from(config).accept(socket.read_ahead()))
        .await??;
    let state = stream.get_ref().1;
    Ok(Handshake {
        parameters: parameters(state),
        alpn: agreed(state, &worker.report),
        peer: peer(state, &worker.report),
        stream: Stream::Server(Box::new(stream)),
    })
}

/// Whether `tls`, which brings certificates and roots of its own, can be used.
///
/// # Errors
/// Why not.
pub fn check(tls: &TlsServer) -> Result<(), Unusable> {
    config(tls, &[], None).map(drop)
}

fn config(
    tls: &TlsServer,
    alpn: &[Arc<str>],
    identity: Option<&Identity>,
) -> Result<Arc<ServerConfig>, Unusable> {
    let alpn: Vec<&[u8]> = alpn.iter().map(|name| name.as_bytes()).collect();
    match (&tls.identity, &tls.client_roots, tls.require_client) {
        (TlsIdentity::Workload, Some(TlsRoots::Mesh), true) => {
            let identity = identity.ok_or(Unusable::NoIdentity)?;
            let peers = peers(&tls.client_sans, identity)?;
            Ok(mesh_server(
                identity,
                ClientCertificate::Required,
                peers,
                &alpn,
            ))
        }
        (own, _, _) => Ok(outside_server(
            key(own, identity)?,
            clients(tls, identity)?,
            versions(tls.tls12),
            &alpn,
        )),
    }
}

type Clients = Option<(Arc<RootCertStore>, Names, ClientCertificate)>;

/// Whom a listener that is not the mesh's asks for a certificate.
fn clients(tls: &TlsServer, identity: Option<&Identity>) -> Result<Clients, Unusable> {
    let roots = match &tls.client_roots {
        Some(TlsRoots::Pem(pem)) => weft_identity::cert::roots(pem)
            .map_err(|error| Unusable::Material(error.to_string()))?,
        Some(TlsRoots::Mesh) => Arc::clone(identity.ok_or(Unusable::NoIdentity)?.roots()),
        Some(TlsRoots::Secret(_)) => return Err(Unusable::Unsupported(SECRET)),
        None if tls.require_client => {
            return Err(Unusable::Unsupported(
                "a client certificate without roots proves nothing; set trusted_ca",
            ));
        }
        None => return Ok(None),
    };
    let wish = match tls.require_client {
        true => ClientCertificate::Required,
        false => ClientCertificate::Optional,
    };
    Ok(Some((roots, names(&tls.client_sans), wish)))
}
