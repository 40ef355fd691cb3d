//! Listening sockets, one for each worker and address.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Connections that may wait to be accepted. The kernel cuts it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// A listening socket that shares `address` with those of the other workers.
///
/// # Errors
/// What the system says: the address is taken, or not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    if address.is_ipv6() {
        // IPv4 has listeners of its own: an IPv4 connection must not arrive as `::ffff:…`.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
