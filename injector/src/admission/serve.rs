//! Connections: TLS handshakes beside each other, each with a limit of time, then axum.

use axum::serve::Listener;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);
/// Handshaken connections that wait for axum.
const BACKLOG: usize = 64;

/// Listens for TLS connections.
///
/// A peer that is slow to shake hands holds up nobody else.
#[derive(Debug)]
pub struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    accepting: tokio::task::JoinHandle<()>,
}

impl TlsListener {
    /// Takes connections of `listener`.
    ///
    /// # Errors
    /// If the socket has no address.
    pub fn new(listener: TcpListener, config: rustls::ServerConfig) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(BACKLOG);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let accepting = tokio::spawn(accept_all(listener, acceptor, sender));
        Ok(Self {
            address,
            ready,
            accepting,
        })
    }
}

/// The socket closes with its listener.
impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // Only when the runtime ends.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn accept_all(
    mut listener: TcpListener,
    acceptor: TlsAcceptor,
    ready: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    loop {
        // Axum's own accept, which waits a little when the process has no more descriptors.
        let (socket, peer) = Listener::accept(&mut listener).await;
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(socket)).await {
                // The receiver is gone only when the program ends.
                Ok(Ok(stream)) => drop(ready.send((stream, peer)).await),
                Ok(Err(e)) => tracing::debug!("{peer}: no TLS: {e}"),
                Err(_) => tracing::debug!("{peer}: no TLS in {HANDSHAKE_LIMIT:?}"),
            }
        });
    }
}
