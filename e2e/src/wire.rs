//! What passes between the nodes, seen from the host's side of their bridge.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use socket2::{Domain, Protocol, Socket, Type};

/// All protocols, in the byte order of the network (`ETH_P_ALL`, packet(7)).
const EVERYTHING: u16 = 0x0003_u16.to_be();

/// A running capture of every frame that the host sees.
#[derive(Debug)]
pub struct Capture {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<u8>>>,
}

impl Capture {
    /// Starts; needs root.
    ///
    /// # Errors
    /// When the kernel gives no packet socket.
    pub fn start() -> Result<Self> {
        let socket = Socket::new(
            Domain::PACKET,
            Type::RAW,
            Some(Protocol::from(i32::from(EVERYTHING))),
        )
        .context("a packet socket needs CAP_NET_RAW")?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        socket.set_recv_buffer_size(8 << 20)?;
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        Ok(Self {
            stop,
            thread: std::thread::spawn(move || collect(socket, &told)),
        })
    }

    /// Ends it and answers with all frames, one after the other.
    ///
    /// # Errors
    /// When the socket broke.
    pub fn stop(self) -> Result<Vec<u8>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .map_err(|_| anyhow!("the capture's thread died"))?
    }
}

fn collect(mut socket: Socket, told: &AtomicBool) -> Result<Vec<u8>> {
    let (mut frames, mut frame) = (Vec::new(), vec![0; 1 << 16]);
    while !told.load(Ordering::Relaxed) {
        match socket.read(&mut frame) {
            Ok(length) => frames.extend_from_slice(&frame[..length]),
            Err(fault)
                if matches!(
                    fault.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Ok(frames)
}
