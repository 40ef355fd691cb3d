//! Bodies on their way through: pieces come from one side and go to the other, never more than a
//! buffer of them at a time.

use super::fields::Fields;
use super::h1::parse::Refused;
use super::h1::{Reader, Writer};
use super::h2::{Receiver, Sender};
use bytes::Bytes;
use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

/// Most bytes of a request body that are kept for another try; a longer one is sent once only.
const MOST_KEPT: usize = 64 * 1024;

/// Why a message ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The peer closed the connection.
    #[error("the peer closed the connection")]
    Closed,
    /// The peer reset the stream.
    #[error("the peer reset the stream: {0}")]
    Reset(h2::Reason),
    /// The peer refused the stream before it did anything with it.
    #[error("the peer refused the stream")]
    Unprocessed,
    /// The peer broke the protocol.
    #[error("the peer broke the protocol: {0}")]
    Protocol(#[from] Refused),
}

/// What a source has next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes: [`Body::data`].
    Data,
    /// Nothing more but perhaps trailers.
    End,
}

/// Where a body comes from.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// There is none, or it is in memory.
    Memory(Bytes),
    /// An HTTP/1 connection.
    H1(Reader<'a>),
    /// An HTTP/2 stream.
    H2(Receiver),
}

impl Incoming<'_> {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Broken>> {
        match self {
            Self::Memory(bytes) if bytes.is_empty() => Poll::Ready(Ok(Piece::End)),
            Self::Memory(_) => Poll::Ready(Ok(Piece::Data)),
            Self::H1(reader) => reader.poll_piece(cx),
            Self::H2(receiver) => receiver.poll_piece(cx),
        }
    }

    fn data(&self) -> &[u8] {
        match self {
            Self::Memory(bytes) => bytes,
            Self::H1(reader) => reader.data(),
            Self::H2(receiver) => receiver.data(),
        }
    }

    fn consume(&mut self, count: usize) {
        match self {
            Self::Memory(bytes) => drop(bytes.split_to(count)),
            Self::H1(reader) => reader.consume(count),
            Self::H2(receiver) => drop(receiver.take(count)),
        }
    }

    fn is_last(&self) -> bool {
        match self {
            Self::Memory(_) => true,
            Self::H1(reader) => reader.is_last(),
            Self::H2(receiver) => receiver.is_last(),
        }
    }

    fn trailers(&mut self) -> Option<Fields> {
        match self {
            Self::Memory(_) => None,
            Self::H1(reader) => reader.take_trailers(),
            Self::H2(receiver) => receiver.take_trailers(),
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Memory(_) => Poll::Pending,
            Self::H1(reader) => reader.poll_closed(cx),
            Self::H2(receiver) => receiver.poll_reset(cx),
        }
    }
}

/// A body with what is needed to send it again.
#[derive(Debug)]
pub struct Body<'a> {
    source: Incoming<'a>,
    kept: Vec<u8>,
    sent_of_kept: usize,
    /// Whether all that came is still kept; `None` keeps nothing.
    memory: Option<&'a Cell<bool>>,
    ended: bool,
    trailers: Option<Fields>,
    bytes: u64,
}

impl<'a> Body<'a> {
    /// A body from `source` that is sent once.
    pub fn new(source: Incoming<'a>) -> Self {
        Self {
            source,
            kept: Vec::new(),
            sent_of_kept: 0,
            memory: None,
            ended: false,
            trailers: None,
            bytes: 0,
        }
    }

    /// A body that is kept, while it is short, so that it can be sent again.
    /// `memory` says whether it still can.
    pub fn kept(source: Incoming<'a>, memory: &'a Cell<bool>) -> Self {
        Self {
            memory: Some(memory),
            ..Self::new(source)
        }
    }

    /// Bytes that came from the source.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the source has given everything.
    pub fn is_complete(&self) -> bool {
        self.ended
    }

    /// Whether it can be sent again, to be asked while it is under way.
    pub fn memory(&self) -> Option<&'a Cell<bool>> {
        self.memory
    }

    /// All of it, if it has ended and nothing of it was forgotten.
    pub fn whole(&self) -> Option<Bytes> {
        (self.ended && self.keeps()).then(|| Bytes::copy_from_slice(&self.kept))
    }

    /// Begins again; false when something of it has been forgotten.
    pub fn rewind(&mut self) -> bool {
        self.sent_of_kept = 0;
        self.keeps() || self.bytes == 0
    }

    fn keeps(&self) -> bool {
        self.memory.is_some_and(Cell::get)
    }

    fn forget(&mut self) {
        if let Some(memory) = self.memory {
            memory.set(false);
        }
    }

    /// What comes next.
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Broken>> {
        if self.sent_of_kept < self.kept.len() {
            return Poll::Ready(Ok(Piece::Data));
        }
        if self.ended {
            return Poll::Ready(Ok(Piece::End));
        }
        let piece = ready!(self.source.poll_piece(cx))?;
        if piece == Piece::End {
            self.ended = true;
            self.trailers = self.source.trailers();
        }
        Poll::Ready(Ok(piece))
    }

    /// What comes next.
    pub async fn piece(&mut self) -> Result<Piece, Broken> {
        poll_fn(|cx| self.poll_piece(cx)).await
    }

    /// The bytes of a [`Piece::Data`].
    pub fn data(&self) -> &[u8] {
        match &self.kept[self.sent_of_kept..] {
            [] => self.source.data(),
            kept => kept,
        }
    }

    /// Whether nothing follows [`Body::data`], as far as one can know without waiting.
    pub fn is_last(&self) -> bool {
        self.sent_of_kept == self.kept.len() && self.source.is_last()
    }

    /// Takes `count` bytes of [`Body::data`] off and gives them, uncopied where that can be.
    pub fn take(&mut self, count: usize) -> Bytes {
        let keeps = self.keeps();
        let shared = match &mut self.source {
            Incoming::Memory(bytes) if !keeps => bytes.split_to(count),
            Incoming::H2(receiver) if !keeps && self.kept.is_empty() => receiver.take(count),
            Incoming::Memory(_) | Incoming::H1(_) | Incoming::H2(_) => {
                let copy = Bytes::copy_from_slice(&self.data()[..count]);
                self.consume(count);
                return copy;
            }
        };
        self.bytes += count as u64;
        shared
    }

    /// Takes `count` bytes of [`Body::data`] off.
    pub fn consume(&mut self, count: usize) {
        if self.sent_of_kept < self.kept.len() {
            self.sent_of_kept += count;
            return;
        }
        if self.keeps() && self.kept.len() + count <= MOST_KEPT {
            self.kept.extend_from_slice(&self.source.data()[..count]);
            self.sent_of_kept = self.kept.len();
        } else if self.keeps() {
            self.forget();
            self.kept = Vec::new();
            self.sent_of_kept = 0;
        }
        self.bytes += count as u64;
        self.source.consume(count);
    }

    /// The trailers, once the body has ended.
    pub fn trailers(&self) -> Option<&Fields> {
        self.trailers.as_ref()
    }

    /// From now on everything that comes belongs to a tunnel.
    pub fn become_tunnel(&mut self) {
        self.ended = false;
        self.forget();
        match &mut self.source {
            Incoming::Memory(_) | Incoming::H2(_) => {}
            Incoming::H1(reader) => reader.become_tunnel(),
        }
    }

    /// Waits until the sender of a complete body has gone away.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.source.poll_gone(cx)
    }
}

/// Where a body goes.
#[derive(Debug)]
pub enum Outgoing<'a> {
    /// An HTTP/1 connection.
    H1(Writer<'a>),
    /// An HTTP/2 stream.
    H2(Sender),
}

impl Outgoing<'_> {
    /// Sends [`Body::data`] and takes it off.
    async fn data(&mut self, body: &mut Body<'_>) -> Result<(), Broken> {
        match self {
            Self::H1(writer) => {
                let count = body.data().len();
                writer.data(body.data()).await?;
                body.consume(count);
                Ok(())
            }
            Self::H2(sender) => sender.data(body).await,
        }
    }

    /// Sends what waits to be sent.
    pub async fn flush(&mut self) -> Result<(), Broken> {
        match self {
            Self::H1(writer) => writer.flush().await,
            // The connection's task sends.
            Self::H2(_) => Ok(()),
        }
    }

    async fn end(&mut self, trailers: Option<&Fields>) -> Result<(), Broken> {
        match self {
            Self::H1(writer) => writer.end(trailers).await,
            Self::H2(sender) => sender.end(trailers),
        }
    }

    /// Breaks off, so that the peer sees that something is missing.
    pub fn abort(&mut self) {
        match self {
            // The connection is closed before the body's end.
            Self::H1(_) => {}
            Self::H2(sender) => sender.abort(),
        }
    }

    /// From now on everything belongs to a tunnel.
    pub fn become_tunnel(&mut self) {
        match self {
            Self::H1(writer) => writer.become_tunnel(),
            Self::H2(_) => {}
        }
    }
}

/// Which side of a transfer failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The one that sends.
    Source(Broken),
    /// The one that receives.
    Sink(Broken),
}

/// Carries `body` to its end. What is small goes out together, and nothing is held back while
/// the source waits.
///
/// # Errors
/// Whose fault it was that the end was not reached.
pub async fn pump(body: &mut Body<'_>, to: &mut Outgoing<'_>) -> Result<(), Failed> {
    loop {
        let at_once = poll_fn(|cx| Poll::Ready(body.poll_piece(cx))).await;
        let piece = match at_once {
            Poll::Ready(piece) => piece,
            Poll::Pending => {
                to.flush().await.map_err(Failed::Sink)?;
                body.piece().await
            }
        };
        match piece.map_err(Failed::Source)? {
            Piece::Data => to.data(body).await.map_err(Failed::Sink)?,
            Piece::End => return to.end(body.trailers()).await.map_err(Failed::Sink),
        }
    }
}
