//! DNS queries of the application that `weft-proxy init` redirects. Those for addresses of the mesh's
//! own names are answered here; others go to the pod's own resolvers as they are, and the answers
//! come back as they are.
//!
//! The proxy's own packets are never redirected, so nothing goes in circles.

mod answer;
mod resolvers;

pub use resolvers::resolvers;

use crate::config::Config;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Where `init` sends queries.
pub const PORT: u16 = 15053;
/// Largest datagram (RFC 6891 leaves it to the peers; more does not fit into one).
const LARGEST: usize = 65_535;
/// Queries, and connections, that may be under way; more are dropped, and clients ask again.
const MOST: usize = 1024;
/// Time for everything that is asked on one connection.
const CONNECTION: Duration = Duration::from_secs(30);

/// Forwards queries.
#[derive(Debug)]
pub struct Forwarder {
    /// Asked in this order.
    pub resolvers: Vec<SocketAddr>,
    /// How long one is waited for before the next is asked.
    pub patience: Duration,
    /// Has the mesh's own names.
    pub config: watch::Receiver<Option<Arc<Config>>>,
}

/// Sockets on which queries arrive.
#[derive(Debug)]
pub struct Sockets {
    udp: UdpSocket,
    tcp: TcpListener,
}

impl Sockets {
    /// Binds both at one address.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let tcp = TcpListener::bind(address).await?;
        let udp = UdpSocket::bind(tcp.local_addr()?).await?;
        Ok(Self { udp, tcp })
    }

    /// Both on the pod's loopback, where redirected packets arrive; IPv6 only where there is any.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn loopback() -> io::Result<Vec<Self>> {
        let [four, six]: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let mut bound = vec![Self::bind((four, PORT).into()).await?];
        match Self::bind((six, PORT).into()).await {
            Ok(sockets) => bound.push(sockets),
            Err(error) => tracing::debug!(%error, "no DNS forwarding over IPv6"),
        }
        Ok(bound)
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

impl Forwarder {
    /// Serves until it is aborted.
    pub async fn run(self: Arc<Self>, sockets: Sockets) {
        let Sockets { udp, tcp } = sockets;
        tokio::join!(
            Arc::clone(&self).datagrams(Arc::new(udp)),
            self.streams(tcp)
        );
    }

    async fn datagrams(self: Arc<Self>, socket: Arc<UdpSocket>) {
        let mut queries = JoinSet::new();
        let mut buffer = vec![0; LARGEST];
        loop {
            tokio::select! {
                Some(_) = queries.join_next() => {}
                received = socket.recv_from(&mut buffer) => {
                    // An error tells of an earlier answer that did not reach its client.
                    let Ok((length, client)) = received else { continue };
                    if queries.len() < MOST {
                        let (this, socket) = (Arc::clone(&self), Arc::clone(&socket));
                        let query = buffer[..length].to_vec();
                        queries.spawn(async move { this.answer(&query, &socket, client).await });
                    }
                }
            }
        }
    }

    /// The answer from the mesh's own names.
    fn own(&self, query: &[u8]) -> Option<Vec<u8>> {
        let config = self.config.borrow().clone()?;
        answer::answer(query, &config.names)
    }

    async fn answer(&self, query: &[u8], socket: &UdpSocket, client: SocketAddr) {
        if let Some(answer) = self.own(query) {
            // A client that has gone needs none.
            let _ = socket.send_to(&answer, client).await;
            return;
        }
        for resolver in &self.resolvers {
            match timeout(self.patience, ask(*resolver, query)).await {
                Ok(Ok(answer)) => {
                    // A client that has gone needs none.
                    let _ = socket.send_to(&answer, client).await;
                    return;
                }
                Ok(Err(error)) => tracing::debug!(%resolver, %error, "no answer to a DNS query"),
                Err(_) => tracing::debug!(%resolver, "no answer to a DNS query in time"),
            }
        }
    }

    async fn streams(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => {
                    let Ok((client, _)) = accepted else { continue };
                    if connections.len() < MOST {
                        let this = Arc::clone(&self);
                        connections.spawn(async move { this.relay(client).await });
                    }
                }
            }
        }
    }

    async fn relay(&self, mut client: TcpStream) {
        // However it ends, the client sees it.
        let Ok(Ok(first)) = timeout(CONNECTION, self.answered(&mut client)).await else {
            return;
        };
        for resolver in &self.resolvers {
            if let Ok(Ok(mut upstream)) = timeout(self.patience, TcpStream::connect(resolver)).await
            {
                let carried = async {
                    upstream.write_all(&first).await?;
                    copy_bidirectional(&mut client, &mut upstream).await
                };
                let _ = timeout(CONNECTION, carried).await;
                return;
            }
        }
    }

    /// Answers queries of `client` until one is for others; that one, with its length before it.
    async fn answered(&self, client: &mut TcpStream) -> io::Result<Vec<u8>> {
        loop {
            let length = client.read_u16().await?;
            let mut query = vec![0; 2 + usize::from(length)];
            query[..2].copy_from_slice(&length.to_be_bytes());
            client.read_exact(&mut query[2..]).await?;
            let Some(answer) = self.own(&query[2..]) else {
                return Ok(query);
            };
            // It is made to fit into a datagram.
            let length = u16::try_from(answer.len()).unwrap_or_default();
            client.write_u16(length).await?;
            client.write_all(&answer).await?;
        }
    }
}

/// One query to one resolver, from a port of its own: nobody else can guess where the answer goes.
async fn ask(resolver: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr = match resolver {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(resolver).await?;
    socket.send(query).await?;
    let mut answer = vec![0; LARGEST];
    loop {
        let length = socket.recv(&mut answer).await?;
        // The first two bytes are the query's number (RFC 1035 §4.1.1).
        if length >= 2 && answer[..2] == query[..2.min(query.len())] {
            answer.truncate(length);
            return Ok(answer);
        }
    }
}

#[cfg(test)]
mod tests;
