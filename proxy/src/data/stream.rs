//! One type for every byte stream of the data path.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{client, server};

/// What one read takes from a socket below TLS: two whole records.
const AHEAD: usize = 32 * 1024;
/// Buffers that a thread keeps for such reads.
const KEPT: usize = 8;

thread_local! {
    /// Buffers of [`AHEAD`] bytes that no socket uses at the moment.
    static FREE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// A plain socket, perhaps with bytes that were read already.
#[derive(Debug)]
pub struct Plain {
    socket: TcpStream,
    ahead: Option<Box<Ahead>>,
    greedy: bool,
}

#[derive(Debug)]
struct Ahead {
    bytes: Box<[u8]>,
    taken: usize,
    end: usize,
}

impl Plain {
    /// `socket`, whose first bytes `read_already` come first again.
    pub fn new(socket: TcpStream, read_already: Vec<u8>) -> Self {
        let ahead = (!read_already.is_empty()).then(|| {
            Box::new(Ahead {
                end: read_already.len(),
                bytes: read_already.into(),
                taken: 0,
            })
        });
        Self {
            socket,
            ahead,
            greedy: false,
        }
    }

    /// For TLS on top, which asks for 4 KiB at a time: each read of the socket takes what there is. Waits
    /// without holding memory.
    #[must_use]
    pub fn read_ahead(mut self) -> Self {
        self.greedy = true;
        self
    }

    /// The socket below.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    fn poll_read_ahead(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = take();
        let mut space = ReadBuf::new(&mut bytes);
        let polled = Pin::new(&mut self.socket).poll_read(cx, &mut space);
        let end = space.filled().len();
        let now = end.min(out.remaining());
        out.put_slice(&bytes[..now]);
        if now < end {
            self.ahead = Some(Box::new(Ahead {
                bytes,
                taken: now,
                end,
            }));
        } else {
            give(bytes);
        }
        polled
    }
}

impl Ahead {
    /// Puts bytes into `out`; the rest, if any, is for the next time.
    fn hand_over(mut self: Box<Self>, out: &mut ReadBuf<'_>) -> Option<Box<Self>> {
        let rest = &self.bytes[self.taken..self.end];
        let count = rest.len().min(out.remaining());
        out.put_slice(&rest[..count]);
        self.taken += count;
        if self.taken < self.end {
            return Some(self);
        }
        give(self.bytes);
        None
    }
}

fn take() -> Box<[u8]> {
    let free = FREE.with_borrow_mut(Vec::pop);
    free.unwrap_or_else(|| vec![0; AHEAD].into())
}

fn give(bytes: Box<[u8]>) {
    FREE.with_borrow_mut(|free| {
        if bytes.len() == AHEAD && free.len() < KEPT {
            free.push(bytes);
        }
    });
}

/// A byte stream between this proxy and a peer.
#[derive(Debug)]
pub enum Stream {
    /// No TLS.
    Plain(Plain),
    /// TLS that we terminate.
    Server(Box<server::TlsStream<Plain>>),
    /// TLS that we began.
    Client(Box<client::TlsStream<Plain>>),
}

impl Stream {
    /// The socket below.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(plain) => plain.socket(),
            Self::Server(tls) => tls.get_ref().0.socket(),
            Self::Client(tls) => tls.get_ref().0.socket(),
        }
    }
}

impl From<TcpStream> for Stream {
    fn from(socket: TcpStream) -> Self {
        Self::Plain(Plain::new(socket, Vec::new()))
    }
}

impl AsyncRead for Plain {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(ahead) = self.ahead.take() {
            self.ahead = ahead.hand_over(out);
            return Poll::Ready(Ok(()));
        }
        if self.greedy && out.remaining() < AHEAD {
            return self.poll_read_ahead(cx, out);
        }
        Pin::new(&mut self.socket).poll_read(cx, out)
    }
}

impl AsyncWrite for Plain {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(plain) => Pin::new(plain).poll_read(cx, out),
            Self::Server(tls) => Pin::new(tls).poll_read(cx, out),
            Self::Client(tls) => Pin::new(tls).poll_read(cx, out),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(plain) => Pin::new(plain).poll_write(cx, bytes),
            Self::Server(tls) => Pin::new(tls).poll_write(cx, bytes),
            Self::Client(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(plain) => Pin::new(plain).poll_write_vectored(cx, bytes),
            Self::Server(tls) => Pin::new(tls).poll_write_vectored(cx, bytes),
            Self::Client(tls) => Pin::new(tls).poll_write_vectored(cx, bytes),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(plain) => Pin::new(plain).poll_flush(cx),
            Self::Server(tls) => Pin::new(tls).poll_flush(cx),
            Self::Client(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(match &mut *self {
            Self::Plain(plain) => Pin::new(plain).poll_shutdown(cx),
            Self::Server(tls) => Pin::new(tls).poll_shutdown(cx),
            Self::Client(tls) => Pin::new(tls).poll_shutdown(cx),
        });
        // A peer that has gone already needs no goodbye.
        Poll::Ready(match result {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn bytes_that_detection_read_come_first() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        peer.write_all(b"world").await.unwrap();
        peer.shutdown().await.unwrap();

        let mut stream = Stream::Plain(Plain::new(socket, b"hello ".to_vec()));
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();

        assert_eq!(text, "hello world");
    }

    #[tokio::test]
    async fn small_reads_take_from_what_one_large_read_brought() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (peer, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let sent: Vec<u8> = (0..100_000).map(|number| number as u8).collect();
        let writing = tokio::spawn({
            let (mut peer, sent) = (peer.unwrap(), sent.clone());
            async move { peer.write_all(&sent).await }
        });

        let mut plain = Plain::new(accepted.unwrap().0, Vec::new()).read_ahead();
        let (mut got, mut small) = (Vec::new(), [0; 4096]);
        while let count @ 1.. = plain.read(&mut small).await.unwrap() {
            got.extend_from_slice(&small[..count]);
        }

        writing.await.unwrap().unwrap();
        assert!(got == sent, "what was sent arrives in its order");
        assert!(plain.ahead.is_none(), "a socket that waits holds no memory");
    }
}
