//! Byte `i` of a body is `i % PERIOD`, so that a lost, repeated or changed byte is seen wherever it is.

use anyhow::{Result, anyhow, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::body::{Body, Frame};
use std::convert::Infallible;

const PERIOD: u64 = 251;
const PIECE: u64 = 1 << 16;

fn pattern() -> Bytes {
    (0..PERIOD + PIECE)
        .map(|at| (at % PERIOD) as u8)
        .collect::<Vec<_>>()
        .into()
}

/// A body of so many bytes, in pieces.
pub(crate) fn source(total: u64) -> BoxBody<Bytes, Infallible> {
    let pattern = pattern();
    let pieces = (0..total).step_by(PIECE as usize).map(move |at| {
        let start = at % PERIOD;
        let end = start + PIECE.min(total - at);
        Ok(Frame::data(pattern.slice(start as usize..end as usize)))
    });
    StreamBody::new(futures::stream::iter(pieces)).boxed()
}

/// Compares the pieces of a stream with a body, and counts.
pub(crate) async fn sink<B>(mut body: B) -> Result<u64>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let (pattern, mut at) = (pattern(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|fault| anyhow!("after {at} bytes: {fault}"))?;
        let data = frame.into_data().unwrap_or_default(); // trailers are none of its business
        for piece in data.chunks(PIECE as usize) {
            let start = (at % PERIOD) as usize;
            ensure!(
                *piece == pattern[start..start + piece.len()],
                "a wrong byte after {at}"
            );
            at += piece.len() as u64;
        }
    }
    Ok(at)
}
