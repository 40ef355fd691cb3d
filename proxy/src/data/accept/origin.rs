//! Where a connection wanted to go before it was redirected to us.

use crate::config::Listener;
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// The destination of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The original destination, or our own address when nothing was redirected.
    pub(super) local: SocketAddr,
    pub(super) redirected: bool,
}

/// Asks the kernel, if `listener` takes redirected connections.
pub(super) fn of(socket: &TcpStream, listener: &Listener) -> io::Result<Origin> {
    let local = socket.local_addr()?;
    if !listener.original_dst && !listener.use_original_dst {
        return Ok(Origin {
            local,
            redirected: false,
        });
    }
    let socket = SockRef::from(socket);
    let original = match local {
        SocketAddr::V4(_) => socket.original_dst_v4(),
        SocketAddr::V6(_) => socket.original_dst_v6(),
    };
    // ENOENT: conntrack knows nothing, so nothing was translated. ENOPROTOOPT: no NAT in the kernel.
    let original = original.ok().and_then(|address| address.as_socket());
    let original = original.filter(|original| *original != local);
    Ok(Origin {
        local: original.unwrap_or(local),
        redirected: original.is_some(),
    })
}
