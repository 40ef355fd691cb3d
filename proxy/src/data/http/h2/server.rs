//! Serving a client that speaks HTTP/2: its streams run beside one another in one task.

use super::convert;
use super::metered::Metered;
use super::stream::{Receiver, Sender, Side};
use super::{
    CONNECTION_WINDOW, MOST_LOCAL_RESETS, MOST_PENDING_RESETS, SEND_BUFFER, STREAM_WINDOW,
};
use crate::data::http::body::{Body, Broken, Incoming};
use crate::data::http::downstream::Downstream;
use crate::data::http::exchange::exchange;
use crate::data::http::head::{Length, Response};
use crate::data::http::reply::Reply as AnyReply;
use bytes::Bytes;
use futures::stream::{FuturesUnordered, Stream as _};
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Sleep, sleep, timeout};

/// Time for the first frames.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The way back to an HTTP/2 client.
#[derive(Debug)]
pub struct Reply(Rc<RefCell<Side>>);

impl Reply {
    /// Sends an interim response.
    pub fn interim(&mut self, response: &Response) -> Result<(), Broken> {
        match &mut *self.0.borrow_mut() {
            Side::Response(respond) => respond
                .send_informational(convert::response_out(response))
                .map_err(|error| super::broken(&error)),
            Side::Data(_) => Ok(()),
        }
    }

    /// Begins the final response.
    pub fn head(&mut self, response: &Response) -> Result<Sender, Broken> {
        let ended = response.length == Length::Empty;
        let mut side = self.0.borrow_mut();
        let Side::Response(respond) = &mut *side else {
            return Err(Broken::Closed);
        };
        let stream = respond
            .send_response(convert::response_out(response), ended)
            .map_err(|error| super::broken(&error))?;
        *side = Side::Data(stream);
        Ok(Sender::new(Rc::clone(&self.0), ended))
    }
}

/// Serves the connection until either side ends it.
pub async fn serve<T: AsyncRead + AsyncWrite + Unpin>(stream: T, down: &Downstream) {
    let stream = Metered::new(stream, Arc::clone(&down.stats));
    let handshake = builder(down).handshake::<_, Bytes>(stream);
    let Ok(Ok(mut connection)) = timeout(HANDSHAKE, handshake).await else {
        return;
    };
    let mut streams = FuturesUnordered::new();
    let mut begun = pin!(down.ending());
    let mut draining = false;
    let mut idle = down
        .hcm
        .idle_timeout
        .map(|limit| (limit, Box::pin(sleep(limit))));
    poll_fn(|cx| {
        if !draining && begun.as_mut().poll(cx).is_ready() {
            draining = true;
            connection.graceful_shutdown();
        }
        loop {
            while let Poll::Ready(Some(())) = Pin::new(&mut streams).poll_next(cx) {}
            match connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((head, respond)))) => streams.push(one(down, head, respond)),
                Poll::Ready(Some(Err(error))) => {
                    ended(down, &error);
                    return Poll::Ready(());
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        // A stream may have been woken by what was just read.
        while let Poll::Ready(Some(())) = Pin::new(&mut streams).poll_next(cx) {
            if connection_ended(&mut connection, cx) {
                return Poll::Ready(());
            }
        }
        if !draining && poll_idle(&mut idle, streams.is_empty(), cx) {
            draining = true;
            connection.graceful_shutdown();
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await;
}

/// Counts connections that we ended because of what the client sent.
fn ended(down: &Downstream, error: &h2::Error) {
    if error.is_remote() || error.is_io() {
        return;
    }
    match error.reason() {
        Some(Reason::ENHANCE_YOUR_CALM) => down.stats.h2_too_much.increment(),
        Some(_) => down.stats.cx_protocol_error.increment(),
        None => {}
    }
}

fn connection_ended<T: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut Connection<T, Bytes>,
    cx: &mut Context<'_>,
) -> bool {
    matches!(connection.poll_closed(cx), Poll::Ready(_))
}

/// Whether no stream has been open for the idle time.
fn poll_idle(
    idle: &mut Option<(Duration, Pin<Box<Sleep>>)>,
    empty: bool,
    cx: &mut Context<'_>,
) -> bool {
    let Some((limit, sleep)) = idle else {
        return false;
    };
    if !empty {
        sleep.as_mut().reset(tokio::time::Instant::now() + *limit);
    }
    sleep.as_mut().poll(cx).is_ready()
}

fn builder(down: &Downstream) -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(down.hcm.max_concurrent_streams)
        .max_header_list_size(u32::try_from(down.hcm.max_headers_bytes).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(MOST_PENDING_RESETS)
        .max_local_error_reset_streams(Some(MOST_LOCAL_RESETS))
        .max_concurrent_reset_streams(MOST_PENDING_RESETS);
    builder
}

/// One request.
async fn one(down: &Downstream, head: http::Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let (parts, stream) = head.into_parts();
    let request = convert::request_in(&parts, stream.is_end_stream());
    let fields = parts.headers.len();
    drop(parts);
    let Some(request) = request.filter(|_| fields <= down.hcm.max_headers) else {
        down.stats.h2_bad_head.increment();
        respond.send_reset(Reason::PROTOCOL_ERROR);
        return;
    };
    let side = Rc::new(RefCell::new(Side::Response(respond)));
    let receiver = Receiver::of_request(stream, Rc::clone(&side));
    let memory = Cell::new(true);
    let mut body = Body::kept(Incoming::H2(receiver), &memory);
    exchange(down, request, &mut body, AnyReply::H2(Reply(side))).await;
}
