//! HTTP/1 (RFC 9112), strictly.
//!
//! Bytes become a canonical head and a body without guessing: whatever two parsers could read in
//! two ways is refused. Nothing here knows routes; nothing outside knows chunks.

pub mod body;
pub mod client;
pub mod encode;
pub mod framing;
mod idle;
pub mod parse;
mod reader;
pub mod server;
pub mod target;
mod writer;

pub use reader::{Reader, read_head};
pub use writer::{Framing, Writer};
