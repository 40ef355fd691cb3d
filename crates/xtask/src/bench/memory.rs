//! Idle connections: opened, used once, then left alone.

use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Connections of the memory measurement.
pub(super) const CONNECTIONS: usize = 4000;

/// Opens connections to `address`, makes one request on each, and keeps them.
pub(super) fn hold(address: SocketAddr) -> Result<Vec<TcpStream>> {
    (0..CONNECTIONS)
        .map(|number| one(address).with_context(|| format!("connection {number}")))
        .collect()
}

fn one(address: SocketAddr) -> Result<TcpStream> {
    let mut socket = TcpStream::connect(address)?;
    socket.write_all(b"GET /1k HTTP/1.1\r\nhost: bench\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while !is_complete(&answer) {
        let count = socket.read(&mut part)?;
        anyhow::ensure!(count > 0, "closed before the answer was complete");
        answer.extend_from_slice(&part[..count]);
    }
    Ok(socket)
}

/// The origin's answer has a body of 1 KiB.
fn is_complete(answer: &[u8]) -> bool {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    end.is_some_and(|at| answer.len() >= at + 4 + 1024)
}

/// Both ends of every connection are in this and the proxy's process.
pub(super) fn raise_descriptor_limit() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Without it the measurement fails and says so itself.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, raised);
}
