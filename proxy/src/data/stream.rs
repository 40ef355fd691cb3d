//! One type for every byte stream of the data path.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{client, server};

/// A plain socket, perhaps with bytes that detection has read already.
#[derive(Debug)]
pub struct Plain {
    socket: TcpStream,
    prefix: Option<Box<Prefix>>,
}

#[derive(Debug)]
struct Prefix {
    bytes: Vec<u8>,
    taken: usize,
}

impl Plain {
    /// `socket`, whose first bytes `read_already` come first again.
    pub fn new(socket: TcpStream, read_already: Vec<u8>) -> Self {
        let some = !read_already.is_empty();
        Self {
            socket,
            prefix: some.then(|| {
                Box::new(Prefix {
                    bytes: read_already,
                    taken: 0,
                })
            }),
        }
    }

    /// The socket below.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }
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
        let Some(prefix) = &mut self.prefix else {
            return Pin::new(&mut self.socket).poll_read(cx, out);
        };
        let rest = &prefix.bytes[prefix.taken..];
        let count = rest.len().min(out.remaining());
        out.put_slice(&rest[..count]);
        prefix.taken += count;
        if prefix.taken == prefix.bytes.len() {
            self.prefix = None;
        }
        Poll::Ready(Ok(()))
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
}
