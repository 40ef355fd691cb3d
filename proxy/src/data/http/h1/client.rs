//! Our side of an upstream connection.

use super::parse::{self, Limits};
use super::{Framing, Reader, Writer, encode, read_head};
use crate::data::choose::Permit;
use crate::data::dial::{Dialled, Ends};
use crate::data::http::body::Broken;
use crate::data::http::buffers::{Buffer, Buffers};
use crate::data::http::head::{Length, Request, Response};
use crate::data::stream::Stream;
use http::Method;
use socket2::SockRef;
use std::cell::{Cell, RefCell};
use std::io;
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Instant;

/// Interim responses that one request may get.
const MOST_INTERIM: u32 = 20;

/// An upstream HTTP/1 connection.
#[derive(Debug)]
pub struct Connection {
    stream: RefCell<Stream>,
    buffer: Buffer,
    pool: Rc<Buffers>,
    /// Requests that it has carried.
    pub requests: u32,
    /// When it became idle.
    pub idle_since: Instant,
    /// Whether the last response lets it carry another request.
    pub keep: bool,
    answered: bool,
    wrote: Cell<bool>,
    /// Who is at its ends.
    pub ends: Rc<Ends>,
    _permit: Permit,
}

impl Connection {
    /// A fresh connection.
    pub fn new(dialled: Dialled, permit: Permit, pool: &Rc<Buffers>) -> Self {
        Self {
            stream: RefCell::new(dialled.stream),
            buffer: pool.buffer(),
            pool: Rc::clone(pool),
            requests: 0,
            idle_since: Instant::now(),
            keep: true,
            answered: false,
            wrote: Cell::new(false),
            ends: dialled.ends,
            _permit: permit,
        }
    }

    /// Whether an idle connection is still good: nothing to read, not even its end.
    pub fn is_quiet(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.buffer.is_empty()
            && self.buffer.poll_fill(&self.stream, &mut cx).is_pending()
            && self.socket_is_quiet()
    }

    /// Asks the kernel: the runtime learns of the peer's end only when it looks for events again.
    fn socket_is_quiet(&self) -> bool {
        let stream = self.stream.borrow();
        let peeked = SockRef::from(stream.socket()).peek(&mut [MaybeUninit::uninit()]);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Begins a request: where its body goes, and where the answer comes from.
    pub fn begin(&mut self, request: &Request) -> (Writer<'_>, Answer<'_>) {
        self.requests += 1;
        self.answered = false;
        self.wrote.set(false);
        let mut out = self.pool.text();
        encode::request(request, true, &mut out);
        let framing = if request.length == Length::Unknown {
            Framing::Chunked
        } else {
            Framing::Plain
        };
        let writer = Writer::new(&self.stream, &self.pool, out, framing).noting(&self.wrote);
        let answer = Answer {
            stream: &self.stream,
            buffer: &mut self.buffer,
            keep: &mut self.keep,
            answered: &mut self.answered,
            head_request: request.method == Method::HEAD,
            upgrade: request.connection.upgrade,
            interim: 0,
        };
        (writer, answer)
    }

    /// Whether anything has come back since the last request began.
    pub fn has_answered(&self) -> bool {
        self.answered || !self.buffer.is_empty()
    }

    /// Whether anything of the last request has left.
    pub fn has_sent(&self) -> bool {
        self.wrote.get()
    }
}

/// The answer to one request.
#[derive(Debug)]
pub struct Answer<'a> {
    stream: &'a RefCell<Stream>,
    buffer: &'a mut Buffer,
    keep: &'a mut bool,
    answered: &'a mut bool,
    head_request: bool,
    upgrade: bool,
    interim: u32,
}

impl<'a> Answer<'a> {
    /// The next head, perhaps an interim one.
    ///
    /// # Errors
    /// [`Broken::Closed`] when nothing came, else what was wrong.
    pub async fn head(&mut self) -> Result<Response, Broken> {
        let limits = Limits::default();
        *self.keep = false;
        let end = read_head(self.stream, self.buffer, limits.bytes).await?;
        let response = parse::response(&self.buffer.filled()[..end], limits, self.head_request)?;
        self.buffer.consume(end);
        *self.answered = true;
        if response.is_interim() {
            self.interim += 1;
        }
        if self.interim > MOST_INTERIM {
            return Err(parse::Refused::Malformed("too many interim responses").into());
        }
        if response.status == 101 && !self.upgrade {
            return Err(parse::Refused::Malformed("upgrade that was not asked for").into());
        }
        *self.keep = !response.connection.close && response.status != 101;
        Ok(response)
    }

    /// The body that follows `response`.
    pub fn body(self, response: &Response) -> Reader<'a> {
        Reader::new(self.stream, self.buffer, response.length)
    }
}
