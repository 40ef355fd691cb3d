//! Bodies of one stream.

use super::client::Active;
use super::{broken, convert};
use crate::data::http::body::{Body, Broken, Piece};
use crate::data::http::fields::Fields;
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Our direction of a stream: before and after the head was sent.
pub enum Side {
    /// A server's, before its head.
    Response(SendResponse<Bytes>),
    /// Ready for data.
    Data(SendStream<Bytes>),
}

impl std::fmt::Debug for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Response(_) => "Response",
            Self::Data(_) => "Data",
        })
    }
}

impl Side {
    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Response(respond) => respond.poll_reset(cx).map(drop),
            Self::Data(stream) => stream.poll_reset(cx).map(drop),
        }
    }

    /// The stream, once its head was sent.
    fn data(&mut self) -> Result<&mut SendStream<Bytes>, Broken> {
        match self {
            Self::Data(stream) => Ok(stream),
            Self::Response(_) => Err(Broken::Closed),
        }
    }
}

/// A body that comes on a stream.
#[derive(Debug)]
pub struct Receiver {
    stream: RecvStream,
    data: Bytes,
    trailers: Option<Fields>,
    /// The other direction, by which a reset is noticed after the end of this one.
    other: Option<Rc<RefCell<Side>>>,
    _active: Option<Active>,
}

impl Receiver {
    /// The request body on `stream`, whose answer goes to `other`.
    pub fn of_request(stream: RecvStream, other: Rc<RefCell<Side>>) -> Self {
        Self {
            other: Some(other),
            ..Self::of_answer(stream, None)
        }
    }

    /// The response body on `stream`.
    pub(super) fn of_answer(stream: RecvStream, active: Option<Active>) -> Self {
        Self {
            stream,
            data: Bytes::new(),
            trailers: None,
            other: None,
            _active: active,
        }
    }

    /// What comes next.
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Broken>> {
        while self.data.is_empty() {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => self.data = data,
                Some(Err(error)) => return Poll::Ready(Err(broken(&error))),
                None => {
                    let trailers = ready!(self.stream.poll_trailers(cx));
                    let trailers = trailers.map_err(|error| broken(&error))?;
                    self.trailers = trailers.as_ref().map(convert::trailers_in);
                    return Poll::Ready(Ok(Piece::End));
                }
            }
        }
        Poll::Ready(Ok(Piece::Data))
    }

    /// The bytes of a [`Piece::Data`].
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Takes bytes off; the peer may then send as many again.
    pub fn take(&mut self, count: usize) -> Bytes {
        // An error here means that the stream has ended, which the next piece tells.
        let _ = self.stream.flow_control().release_capacity(count);
        self.data.split_to(count)
    }

    /// Whether nothing follows, as far as is known.
    pub fn is_last(&self) -> bool {
        self.stream.is_end_stream()
    }

    /// The trailers, after [`Piece::End`].
    pub fn take_trailers(&mut self) -> Option<Fields> {
        self.trailers.take()
    }

    /// Ready when the peer has reset the stream.
    pub fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.other {
            Some(side) => side.borrow_mut().poll_reset(cx),
            None => Poll::Pending,
        }
    }
}

/// A body that goes out on a stream.
#[derive(Debug)]
pub struct Sender {
    side: Rc<RefCell<Side>>,
    ended: bool,
}

impl Sender {
    /// A body on the stream of `side`; `ended` says that its head ended it.
    pub fn new(side: Rc<RefCell<Side>>, ended: bool) -> Self {
        Self { side, ended }
    }

    /// Sends as much of [`Body::data`] as flow control admits, at least a byte.
    pub async fn data(&mut self, body: &mut Body<'_>) -> Result<(), Broken> {
        let wanted = body.data().len();
        self.side.borrow_mut().data()?.reserve_capacity(wanted);
        let count = poll_fn(|cx| self.poll_capacity(cx)).await?.min(wanted);
        let last = body.is_last() && count == wanted;
        let data = body.take(count);
        self.ended = last;
        let mut side = self.side.borrow_mut();
        side.data()?
            .send_data(data, last)
            .map_err(|error| broken(&error))
    }

    fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Broken>> {
        let mut side = self.side.borrow_mut();
        let stream = side.data()?;
        loop {
            if stream.capacity() > 0 {
                return Poll::Ready(Ok(stream.capacity()));
            }
            match ready!(stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(broken(&error))),
                None => return Poll::Ready(Err(Broken::Closed)),
            }
        }
    }

    /// Ends the body.
    pub fn end(&mut self, trailers: Option<&Fields>) -> Result<(), Broken> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        let mut side = self.side.borrow_mut();
        let stream = side.data()?;
        let sent = match trailers {
            Some(trailers) => stream.send_trailers(convert::trailers_out(trailers)),
            None => stream.send_data(Bytes::new(), true),
        };
        sent.map_err(|error| broken(&error))
    }

    /// Breaks off.
    pub fn abort(&mut self) {
        if let Ok(stream) = self.side.borrow_mut().data() {
            stream.send_reset(Reason::INTERNAL_ERROR);
        }
    }
}
