//! Port 15012: xDS and the CA, over TLS 1.3 only.
//!
//! Flows in: connections. Flows out: gRPC services that know who the peer is. The certificate is the
//! CA's own and is made anew when the CA changes or half of its life is over.

mod ca;
mod connection;
mod identity;
mod source;
#[cfg(test)]
mod tests;

pub use ca::{Answers, Ca};
pub use identity::Identities;
pub use source::{AdsSource, Counts};

use crate::publish::Clients;
use anyhow::{Context, Result};
use connection::Connection;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use weft_xds::server::Server as Ads;

/// A peer that does not finish its handshake is not one of ours.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// So that a peer that vanished is noticed.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Time over which streams end at a shutdown, so that not all proxies go to the other replica at once.
const SPREAD: Duration = Duration::from_secs(5);
/// Pause after an accept that failed for want of descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// What is served.
#[derive(Debug)]
pub struct Services {
    /// The CA.
    pub ca: Ca,
    /// xDS.
    pub ads: AdsSource,
    /// The server's own certificate.
    pub identities: Identities,
    /// Whose streams end when the server does.
    pub clients: Arc<Clients>,
}

/// Listens on `address` and serves until `stop`.
///
/// # Errors
/// When the address cannot be bound.
pub async fn run(address: SocketAddr, services: Services, stop: CancellationToken) -> Result<()> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on {address}; is another program there?"))?;
    serve(listener, services, stop).await
}

/// Serves until `stop`, then lets streams end, one after another.
async fn serve(listener: TcpListener, services: Services, stop: CancellationToken) -> Result<()> {
    let (sender, connections) = mpsc::channel(64);
    let accepting = tokio::spawn(accept(listener, services.identities, sender, stop.clone()));
    let clients = services.clients;
    let served = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .tcp_keepalive(Some(KEEPALIVE))
        .add_service(Ads::new(Arc::new(services.ads)).into_service())
        .add_service(services.ca)
        .serve_with_incoming_shutdown(ReceiverStream::new(connections), async move {
            stop.cancelled().await;
            clients.dismiss(SPREAD).await;
        })
        .await;
    accepting.abort();
    served.context("serve xDS and the CA")
}

async fn accept(
    listener: TcpListener,
    identities: Identities,
    connections: mpsc::Sender<Result<Connection, std::io::Error>>,
    stop: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let Ok((socket, remote)) = accepted else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        // Before there is a CA nobody can be served; the proxy comes again.
        let Some(config) = identities.server_config() else {
            continue;
        };
        let handshake = handshake(
            socket,
            TlsAcceptor::from(config),
            remote,
            connections.clone(),
        );
        // Ends by itself within the time of a handshake.
        tokio::spawn(handshake);
    }
}

async fn handshake(
    socket: TcpStream,
    acceptor: TlsAcceptor,
    remote: SocketAddr,
    connections: mpsc::Sender<Result<Connection, std::io::Error>>,
) {
    // Small messages that somebody waits for; a socket that refuses this works all the same.
    let _ = socket.set_nodelay(true);
    match tokio::time::timeout(HANDSHAKE, acceptor.accept(socket)).await {
        Ok(Ok(stream)) => {
            // The receiver is gone only when the server is.
            let _ = connections.send(Ok(Connection::new(stream, remote))).await;
        }
        Ok(Err(error)) => tracing::debug!(%remote, %error, "handshake refused"),
        Err(_) => tracing::debug!(%remote, "handshake not finished in time"),
    }
}
