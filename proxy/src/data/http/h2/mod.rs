//! HTTP/2 (RFC 9113), by the `h2` crate driven directly.
//!
//! Streams become the same canonical heads and bodies as HTTP/1 messages. Frame budgets are set
//! here; nothing outside knows frames.

pub mod client;
mod convert;
mod frames;
mod metered;
pub mod server;
mod stream;

pub use stream::{Receiver, Sender, Side};

use super::body::Broken;
use h2::Reason;

/// Flow-control window of one stream.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Flow-control window of a connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Bytes of one stream that wait to be sent.
const SEND_BUFFER: usize = 64 * 1024;
/// Streams that a peer may open and reset before they are accepted (CVE-2023-44487).
const MOST_PENDING_RESETS: usize = 20;
/// Streams that a peer may make us reset (CVE-2025-8671).
const MOST_LOCAL_RESETS: usize = 100;

/// What an error of the `h2` crate means for a stream.
fn broken(error: &h2::Error) -> Broken {
    match error.reason() {
        Some(Reason::REFUSED_STREAM) => Broken::Unprocessed,
        // Streams that a GOAWAY does not cover were never looked at (RFC 9113 §6.8).
        Some(Reason::NO_ERROR) if error.is_go_away() && error.is_remote() => Broken::Unprocessed,
        Some(reason) => Broken::Reset(reason),
        None => Broken::Closed,
    }
}
