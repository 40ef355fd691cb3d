//! Reading messages off a connection.

use super::body::{Decoder, Step};
use super::parse;
use crate::data::http::body::{Broken, Piece};
use crate::data::http::buffers::Buffer;
use crate::data::http::fields::Fields;
use crate::data::http::head::Length;
use crate::data::stream::Stream;
use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

/// Reads until `buffer` begins with a complete head, and says how long that is.
///
/// # Errors
/// [`Broken::Closed`] when the connection ends before.
pub async fn read_head(
    stream: &RefCell<Stream>,
    buffer: &mut Buffer,
    limit: usize,
) -> Result<usize, Broken> {
    let mut seen = 0;
    loop {
        if let Some(end) = parse::find_end(buffer.filled(), seen, limit)? {
            return Ok(end);
        }
        seen = buffer.filled().len();
        match poll_fn(|cx| buffer.poll_fill(stream, cx)).await {
            Ok(0) | Err(_) => return Err(Broken::Closed),
            Ok(_) => {}
        }
    }
}

/// One message's body on a connection.
#[derive(Debug)]
pub struct Reader<'a> {
    stream: &'a RefCell<Stream>,
    buffer: &'a mut Buffer,
    decoder: Decoder,
    data: usize,
    closed: bool,
    trailers: Option<Fields>,
}

impl<'a> Reader<'a> {
    /// A body of that length, whose beginning may be in `buffer`.
    pub fn new(stream: &'a RefCell<Stream>, buffer: &'a mut Buffer, length: Length) -> Self {
        let decoder = Decoder::new(length);
        Self {
            stream,
            buffer,
            decoder,
            data: 0,
            closed: false,
            trailers: None,
        }
    }

    /// What comes next.
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Broken>> {
        loop {
            if self.data > 0 {
                return Poll::Ready(Ok(Piece::Data));
            }
            match self.decoder.step(self.buffer.filled(), self.closed) {
                Err(_) if self.closed => return Poll::Ready(Err(Broken::Closed)),
                Err(refused) => return Poll::Ready(Err(refused.into())),
                Ok(Step::Skip(count)) => self.buffer.consume(count),
                Ok(Step::Data(count)) => self.data = count,
                Ok(Step::End(count, trailers)) => {
                    self.buffer.consume(count);
                    self.trailers = trailers;
                    return Poll::Ready(Ok(Piece::End));
                }
                Ok(Step::More) => match ready!(self.buffer.poll_fill(self.stream, cx)) {
                    Ok(count) => self.closed = count == 0,
                    Err(_) => return Poll::Ready(Err(Broken::Closed)),
                },
            }
        }
    }

    /// The bytes of a [`Piece::Data`].
    pub fn data(&self) -> &[u8] {
        &self.buffer.filled()[..self.data]
    }

    /// Takes bytes of [`Reader::data`] off.
    pub fn consume(&mut self, count: usize) {
        self.buffer.consume(count);
        self.data -= count;
        self.decoder.took(count);
    }

    /// Whether the body ends after [`Reader::data`].
    pub fn is_last(&self) -> bool {
        match self.decoder {
            Decoder::Done => true,
            Decoder::Exactly(left) => left == self.data as u64,
            Decoder::UntilClose
            | Decoder::Size(_)
            | Decoder::Chunk(..)
            | Decoder::ChunkEnd(_)
            | Decoder::Trailers => false,
        }
    }

    /// The trailers, after [`Piece::End`].
    pub fn take_trailers(&mut self) -> Option<Fields> {
        self.trailers.take()
    }

    /// From now on everything until the end of the connection is data.
    pub fn become_tunnel(&mut self) {
        self.decoder = Decoder::UntilClose;
        self.data = 0;
    }

    /// Ready when the peer has gone; what it sends instead is kept for the next message.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.buffer.is_empty() {
            return Poll::Pending;
        }
        match ready!(self.buffer.poll_fill(self.stream, cx)) {
            Ok(0) | Err(_) => Poll::Ready(()),
            Ok(_) => Poll::Pending,
        }
    }
}
