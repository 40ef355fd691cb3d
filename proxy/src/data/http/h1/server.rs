//! Serving a client that speaks HTTP/1: one request after the other.

use super::idle::Idle;
use super::parse;
use super::{Framing, Reader, Writer, encode, read_head};
use crate::data::http::body::{Body, Broken, Incoming, Piece};
use crate::data::http::buffers::{Buffer, Buffers};
use crate::data::http::downstream::Downstream;
use crate::data::http::exchange::{exchange, refused};
use crate::data::http::head::{Length, Request, Response, Version};
use crate::data::http::local::Local;
use crate::data::http::reply::Reply as AnyReply;
use crate::data::report::Flag;
use crate::data::stream::Stream;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::AsyncWrite;
use tokio::time::timeout;

/// Time for a head once its first byte has come, when the manager sets none.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Rest of a request body that is read and thrown away so that the connection can be kept.
const MOST_DRAINED: u64 = 64 * 1024;
/// Time that a client has to notice that the connection is closed.
const LINGER: Duration = Duration::from_secs(1);

/// The way back to an HTTP/1 client.
#[derive(Debug)]
pub struct Reply<'a> {
    stream: &'a RefCell<Stream>,
    pool: &'a Rc<Buffers>,
    client: Version,
    keep: &'a Cell<bool>,
    down: &'a Downstream,
}

impl<'a> Reply<'a> {
    /// Sends an interim response; HTTP/1.0 clients do not know them.
    pub async fn interim(&mut self, response: &Response) -> Result<(), Broken> {
        if self.client == Version::Http10 {
            return Ok(());
        }
        let mut out = self.pool.text();
        encode::response(response, self.client, true, &mut out);
        Writer::new(self.stream, self.pool, out, Framing::Plain)
            .flush()
            .await
    }

    /// Begins the final response.
    pub fn head(&mut self, response: &Response) -> Writer<'a> {
        // A drain may have begun while the answer was waited for.
        if self.down.draining()
            || (response.length == Length::Unknown && self.client == Version::Http10)
        {
            self.keep.set(false);
        }
        let mut out = self.pool.text();
        encode::response(response, self.client, self.keep.get(), &mut out);
        let framing = match response.length {
            Length::Unknown if encode::is_chunked(response.length, self.client) => Framing::Chunked,
            Length::UntilClose => Framing::Tunnel,
            Length::Empty | Length::Exactly(_) | Length::Unknown => Framing::Plain,
        };
        Writer::new(self.stream, self.pool, out, framing)
    }
}

/// What an idle connection got.
enum Next {
    /// A head of so many bytes.
    Head(usize),
    /// The end.
    Closed,
    /// Something that is not HTTP.
    Refused(parse::Refused),
    /// The beginning of a head and then nothing.
    TooSlow,
}

/// Serves the connection until either side ends it.
pub async fn serve(stream: RefCell<Stream>, mut buffer: Buffer, down: &Downstream) {
    let mut idle = Idle::new(down);
    let limits = down.head_limits();
    loop {
        let end = match next(&stream, &mut buffer, &mut idle, down).await {
            Next::Head(end) => end,
            Next::Closed => return,
            Next::Refused(refused) => return refuse(&stream, down, refused.status()).await,
            Next::TooSlow => return refuse(&stream, down, 408).await,
        };
        let mut request = Request {
            scheme: down.scheme(),
            ..Request::default()
        };
        let parsed = parse::request(&buffer.filled()[..end], limits, &mut request);
        buffer.consume(end);
        if let Err(refused) = parsed {
            return refuse(&stream, down, refused.status()).await;
        }
        if !Box::pin(one(&stream, &mut buffer, down, request)).await {
            return linger(&stream, &mut buffer).await;
        }
        idle.touch();
    }
}

/// One request; says whether another may follow.
async fn one(
    stream: &RefCell<Stream>,
    buffer: &mut Buffer,
    down: &Downstream,
    request: Request,
) -> bool {
    let keep = Cell::new(!request.connection.close && !down.draining());
    let pool = &down.worker.http.buffers;
    let reply = Reply {
        stream,
        pool,
        client: request.version,
        keep: &keep,
        down,
    };
    let reader = Reader::new(stream, buffer, request.length);
    let memory = Cell::new(true);
    let mut body = Body::kept(Incoming::H1(reader), &memory);
    let expects = request.connection.expect_continue;
    let answered = exchange(down, request, &mut body, AnyReply::H1(reply)).await;
    // A client that was never told to send its body may or may not send it.
    let unsure = expects && body.bytes() == 0 && !body.is_complete();
    answered && keep.get() && !unsure && drained(&mut body).await
}

/// Reads the rest of a short body, so that what follows is the next request.
async fn drained(body: &mut Body<'_>) -> bool {
    let most = body.bytes() + MOST_DRAINED;
    let rest = async {
        while body.bytes() <= most {
            match body.piece().await {
                Ok(Piece::Data) => body.consume(body.data().len()),
                Ok(Piece::End) => return true,
                Err(_) => return false,
            }
        }
        false
    };
    timeout(LINGER, rest).await.unwrap_or(false)
}

async fn next(
    stream: &RefCell<Stream>,
    buffer: &mut Buffer,
    idle: &mut Idle<'_>,
    down: &Downstream,
) -> Next {
    skip_blank(buffer);
    while buffer.is_empty() {
        let filled = poll_fn(|cx| match buffer.poll_fill(stream, cx) {
            Poll::Ready(Ok(count)) if count > 0 => Poll::Ready(true),
            Poll::Ready(_) => Poll::Ready(false),
            Poll::Pending => idle.poll(cx).map(|()| false),
        });
        if !filled.await {
            return Next::Closed;
        }
        skip_blank(buffer);
    }
    let limit = down.hcm.max_headers_bytes;
    if let Ok(Some(end)) = parse::find_end(buffer.filled(), 0, limit) {
        return Next::Head(end);
    }
    let time = down.hcm.request_headers_timeout.unwrap_or(HEAD_TIME);
    match timeout(time, read_head(stream, buffer, limit)).await {
        Ok(Ok(end)) => Next::Head(end),
        Ok(Err(Broken::Protocol(refused))) => Next::Refused(refused),
        Ok(Err(Broken::Closed | Broken::Reset(_) | Broken::Unprocessed)) => Next::Closed,
        Err(_) => Next::TooSlow,
    }
}

/// Blank lines between requests are tolerated (RFC 9112 §2.2).
fn skip_blank(buffer: &mut Buffer) {
    while buffer.filled().starts_with(b"\r\n") {
        buffer.consume(2);
    }
}

/// Answers what is not a request, and closes.
async fn refuse(stream: &RefCell<Stream>, down: &Downstream, status: u16) {
    let reason = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|s| s.canonical_reason());
    let local = Local::new(status, reason.unwrap_or_default(), "http1.codec_error")
        .flagged(Flag::DownstreamProtocolError);
    let (mut response, body) = local.clone().answer(&Request::default());
    down.worker
        .http
        .with_date(|date| response.fields.set("date", date));
    if let Some(name) = &down.hcm.server_name {
        response.fields.set("server", name.as_bytes());
    }
    refused(down, &local, &response);
    let pool = &down.worker.http.buffers;
    let mut out = pool.text();
    encode::response(&response, Version::Http11, false, &mut out);
    out.extend_from_slice(&body);
    // Whether the client still listens is its own affair.
    let _ = Writer::new(stream, pool, out, Framing::Plain).flush().await;
    linger(stream, &mut pool.buffer()).await;
}

/// Closes so that the client can read what was sent: data that we never read would make the
/// kernel reset the connection.
async fn linger(stream: &RefCell<Stream>, buffer: &mut Buffer) {
    let rest = async {
        let shut = poll_fn(|cx| Pin::new(&mut *stream.borrow_mut()).poll_shutdown(cx)).await;
        let mut left = MOST_DRAINED;
        while shut.is_ok() && left > 0 {
            buffer.consume(buffer.filled().len());
            match poll_fn(|cx| buffer.poll_fill(stream, cx)).await {
                Ok(0) | Err(_) => return,
                Ok(count) => left = left.saturating_sub(count as u64),
            }
        }
    };
    // A client that does not close within this time loses.
    let _ = timeout(LINGER, rest).await;
}
