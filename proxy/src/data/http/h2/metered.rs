//! A client's stream whose frames are counted.

use super::frames::{Flood, Frames};
use crate::data::report::HttpStats;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// `stream`, which fails when the client sends too much that asks for nothing.
#[derive(Debug)]
pub(super) struct Metered<T> {
    stream: T,
    frames: Frames,
    stats: Arc<HttpStats>,
}

impl<T> Metered<T> {
    /// Counts from the preface on.
    pub(super) fn new(stream: T, stats: Arc<HttpStats>) -> Self {
        Self {
            stream,
            frames: Frames::new(Instant::now()),
            stats,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Metered<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, out))?;
        let passed = self.frames.pass(&out.filled()[before..], Instant::now);
        Poll::Ready(passed.map_err(|flood| {
            match flood {
                Flood::Control => self.stats.h2_control_flood.increment(),
                Flood::Resets => self.stats.h2_reset_flood.increment(),
            }
            io::ErrorKind::ConnectionAborted.into()
        }))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Metered<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
