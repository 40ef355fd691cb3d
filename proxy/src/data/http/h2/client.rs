//! Our side of upstream HTTP/2 connections, which many requests share.

use super::convert;
use super::stream::{Receiver, Sender, Side};
use super::{CONNECTION_WINDOW, MOST_LOCAL_RESETS, SEND_BUFFER, STREAM_WINDOW, broken};
use crate::data::choose::Permit;
use crate::data::dial::{Dialled, Ends};
use crate::data::http::body::Broken;
use crate::data::http::head::{Length, Request, Response};
use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// Largest head of a response.
const MOST_HEAD: u32 = 60 * 1024;

/// A handle to a shared upstream connection.
#[derive(Clone, Debug)]
pub struct Connection {
    send: SendRequest<Bytes>,
    /// Who is at its ends.
    pub ends: Rc<Ends>,
    /// Requests that it has carried.
    pub requests: Rc<Cell<u32>>,
    active: Rc<Cell<u32>>,
    /// When the last request ended.
    pub idle_since: Rc<Cell<Instant>>,
}

impl Connection {
    /// Speaks HTTP/2 on `stream`. A task of its own drives the connection while it has handles or
    /// streams.
    ///
    /// # Errors
    /// When the peer does not speak HTTP/2.
    pub async fn new(dialled: Dialled, permit: Permit) -> Result<Self, Broken> {
        let mut builder = h2::client::Builder::new();
        builder
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MOST_HEAD)
            .max_send_buffer_size(SEND_BUFFER)
            .max_local_error_reset_streams(Some(MOST_LOCAL_RESETS))
            .enable_push(false);
        let made = builder.handshake::<_, Bytes>(dialled.stream).await;
        let (send, connection) = made.map_err(|error| broken(&error))?;
        tokio::task::spawn_local(async move {
            let _permit = permit;
            // Its streams tell how it ended.
            let _ = connection.await;
        });
        let (requests, active, idle_since) = (
            Rc::default(),
            Rc::default(),
            Rc::new(Cell::new(Instant::now())),
        );
        Ok(Self {
            send,
            ends: dialled.ends,
            requests,
            active,
            idle_since,
        })
    }

    /// Whether another request can begin at once; `None` when none ever will.
    pub fn has_room(&mut self) -> Option<bool> {
        let mut cx = Context::from_waker(Waker::noop());
        match self.send.poll_ready(&mut cx) {
            Poll::Ready(Ok(())) => {
                Some((self.active.get() as usize) < self.send.current_max_send_streams())
            }
            Poll::Ready(Err(_)) => None,
            Poll::Pending => Some(false),
        }
    }

    /// Whether no request is in flight.
    pub fn is_idle(&self) -> bool {
        self.active.get() == 0
    }

    /// Begins a request.
    ///
    /// # Errors
    /// [`Broken::Unprocessed`] when the connection takes no more.
    pub fn begin(&mut self, request: &Request) -> Result<(Sender, Answer), Broken> {
        let head = convert::request_out(request).ok_or(Broken::Closed)?;
        let ended = request.length == Length::Empty;
        let sent = self.send.send_request(head, ended);
        let (response, stream) = sent.map_err(|_| Broken::Unprocessed)?;
        self.requests.set(self.requests.get() + 1);
        let side = Rc::new(RefCell::new(Side::Data(stream)));
        let active = Active::new(self);
        let answer = Answer {
            response,
            receiver: None,
            active: Some(active),
        };
        Ok((Sender::new(side, ended), answer))
    }
}

/// Counts one request of a connection while it lives.
#[derive(Debug)]
pub(super) struct Active {
    active: Rc<Cell<u32>>,
    idle_since: Rc<Cell<Instant>>,
}

impl Active {
    fn new(connection: &Connection) -> Self {
        connection.active.set(connection.active.get() + 1);
        let (active, idle_since) = (&connection.active, &connection.idle_since);
        Self {
            active: Rc::clone(active),
            idle_since: Rc::clone(idle_since),
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.active.set(self.active.get() - 1);
        self.idle_since.set(Instant::now());
    }
}

/// The answer to one request.
#[derive(Debug)]
pub struct Answer {
    response: ResponseFuture,
    receiver: Option<Receiver>,
    active: Option<Active>,
}

impl Answer {
    /// The next head, perhaps an interim one.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn head(&mut self) -> Result<Response, Broken> {
        poll_fn(|cx| self.poll_head(cx)).await
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response, Broken>> {
        if let Poll::Ready(Some(Ok(interim))) = self.response.poll_informational(cx) {
            return Poll::Ready(Ok(Response::new(interim.status().as_u16())));
        }
        let response = std::task::ready!(Pin::new(&mut self.response).poll(cx));
        let (parts, stream) = response.map_err(|error| broken(&error))?.into_parts();
        let head = convert::response_in(&parts, stream.is_end_stream());
        self.receiver = Some(Receiver::of_answer(stream, self.active.take()));
        Poll::Ready(head.ok_or(Broken::Reset(h2::Reason::PROTOCOL_ERROR)))
    }

    /// The body that follows the final head.
    pub fn body(self) -> Option<Receiver> {
        self.receiver
    }
}
