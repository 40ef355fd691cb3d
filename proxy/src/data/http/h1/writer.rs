//! Writing messages to a connection.

use super::encode;
use crate::data::http::body::Broken;
use crate::data::http::buffers::Buffers;
use crate::data::http::fields::Fields;
use crate::data::stream::Stream;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// Data up to this size is copied next to its head, so that one plain write carries both.
const SMALL: usize = 4 * 1024;
/// Texts above this go out before more is added.
const FULL: usize = 16 * 1024;

/// How a body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// As it is.
    Plain,
    /// In chunks.
    Chunked,
    /// As it is, and its end is the end of the connection's direction.
    Tunnel,
}

/// One message on its way out: its head waits for the first bytes of the body.
#[derive(Debug)]
pub struct Writer<'a> {
    stream: &'a RefCell<Stream>,
    pool: Rc<Buffers>,
    out: Vec<u8>,
    framing: Framing,
    wrote: Option<&'a Cell<bool>>,
}

impl<'a> Writer<'a> {
    /// A message that begins with `out`.
    pub fn new(
        stream: &'a RefCell<Stream>,
        pool: &Rc<Buffers>,
        out: Vec<u8>,
        framing: Framing,
    ) -> Self {
        Self {
            stream,
            pool: Rc::clone(pool),
            out,
            framing,
            wrote: None,
        }
    }

    /// The same, which notes in `wrote` that something of it has left.
    pub fn noting(mut self, wrote: &'a Cell<bool>) -> Self {
        self.wrote = Some(wrote);
        self
    }

    /// Sends a piece of the body, at the latest with the next flush.
    pub async fn data(&mut self, data: &[u8]) -> Result<(), Broken> {
        if self.out.len() > FULL {
            self.write(&[]).await?;
        }
        if self.framing == Framing::Chunked {
            encode::chunk_size(data.len(), &mut self.out);
        }
        if data.len() <= SMALL {
            self.out.extend_from_slice(data);
        } else {
            self.write(data).await?;
        }
        if self.framing == Framing::Chunked {
            self.out.extend_from_slice(b"\r\n");
        }
        Ok(())
    }

    /// Sends what waits.
    pub async fn flush(&mut self) -> Result<(), Broken> {
        if !self.out.is_empty() {
            self.write(&[]).await?;
        }
        poll_fn(|cx| Pin::new(&mut *self.stream.borrow_mut()).poll_flush(cx))
            .await
            .map_err(|_| Broken::Closed)
    }

    /// Ends the body and sends everything.
    pub async fn end(&mut self, trailers: Option<&Fields>) -> Result<(), Broken> {
        if self.framing == Framing::Chunked {
            self.out.extend_from_slice(b"0\r\n");
            if let Some(trailers) = trailers {
                encode::fields(trailers, &mut self.out);
            }
            self.out.extend_from_slice(b"\r\n");
        }
        self.flush().await?;
        if self.framing == Framing::Tunnel {
            return poll_fn(|cx| Pin::new(&mut *self.stream.borrow_mut()).poll_shutdown(cx))
                .await
                .map_err(|_| Broken::Closed);
        }
        Ok(())
    }

    /// From now on the end of the body is the end of the connection's direction.
    pub fn become_tunnel(&mut self) {
        self.framing = Framing::Tunnel;
    }

    /// Writes what waits and then `data`, completely.
    async fn write(&mut self, data: &[u8]) -> Result<(), Broken> {
        let mut done = 0;
        let written = poll_fn(|cx| {
            let written = poll_both(self.stream, &self.out, data, &mut done, cx);
            if let Some(wrote) = self.wrote.filter(|_| done > 0) {
                wrote.set(true);
            }
            written
        })
        .await;
        self.out.clear();
        written.map_err(|_| Broken::Closed)
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        self.pool.give_text(std::mem::take(&mut self.out));
    }
}

/// Writes `first` and `second`, of which `done` bytes are written already.
fn poll_both(
    stream: &RefCell<Stream>,
    first: &[u8],
    second: &[u8],
    done: &mut usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    let total = first.len() + second.len();
    while *done < total {
        let mut stream = stream.borrow_mut();
        let stream = Pin::new(&mut *stream);
        let count = if *done >= first.len() {
            ready!(stream.poll_write(cx, &second[*done - first.len()..]))?
        } else if second.is_empty() {
            ready!(stream.poll_write(cx, &first[*done..]))?
        } else {
            let parts = [IoSlice::new(&first[*done..]), IoSlice::new(second)];
            ready!(stream.poll_write_vectored(cx, &parts))?
        };
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        *done += count;
    }
    Poll::Ready(Ok(()))
}
