//! Which HTTP a client speaks.

use super::buffers::Buffer;
use super::downstream::Downstream;
use crate::config::Codec;
use crate::data::stream::Stream;
use std::cell::RefCell;
use std::future::poll_fn;
use tokio::time::{Duration, timeout};

/// The first bytes of an HTTP/2 client (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A codec that has been decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// HTTP/1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Decides by configuration, then by ALPN, then by the first bytes; `None` when there are none.
pub async fn decide(
    down: &Downstream,
    stream: &RefCell<Stream>,
    buffer: &mut Buffer,
) -> Option<Spoken> {
    match (down.hcm.codec, down.conn.alpn.as_deref()) {
        (Codec::Http1, _) => return Some(Spoken::Http1),
        (Codec::Http2, _) | (Codec::Auto, Some("h2" | "h2c" | "istio-h2")) => {
            return Some(Spoken::Http2);
        }
        (Codec::Auto, Some("http/1.1" | "http/1.0" | "istio-http/1.1" | "istio-http/1.0")) => {
            return Some(Spoken::Http1);
        }
        (Codec::Auto, _) => {}
    }
    let limit = down.hcm.idle_timeout.unwrap_or(Duration::MAX);
    timeout(limit, peek(stream, buffer)).await.ok().flatten()
}

async fn peek(stream: &RefCell<Stream>, buffer: &mut Buffer) -> Option<Spoken> {
    loop {
        match by_bytes(buffer.filled()) {
            Some(spoken) => return Some(spoken),
            None => match poll_fn(|cx| buffer.poll_fill(stream, cx)).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            },
        }
    }
}

/// `None` as long as it can be either.
fn by_bytes(bytes: &[u8]) -> Option<Spoken> {
    if bytes.starts_with(PREFACE) {
        Some(Spoken::Http2)
    } else if PREFACE.starts_with(bytes) {
        None
    } else {
        Some(Spoken::Http1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preface_is_http_2_and_all_else_is_http_1() {
        assert_eq!(by_bytes(b""), None);
        assert_eq!(by_bytes(b"PRI"), None);
        assert_eq!(by_bytes(b"PRINT / HTTP/1.1"), Some(Spoken::Http1));
        assert_eq!(by_bytes(PREFACE), Some(Spoken::Http2));
    }
}
