//! Bytes in both directions: two halves, each of which ends for itself.
//!
//! A half that waits to read holds no buffer.

use super::exchange::{self, Heard};
use crate::data::http::buffers::Buffers;
use crate::data::report::{ClusterStats, TcpSeries, TcpStats};
use crate::data::stream::Stream;
use socket2::SockRef;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::AsyncWrite;
use tokio::time::Instant;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Both sides had nothing more to say.
    Closed,
    /// No byte for too long.
    Idle,
    /// Told to stop.
    Stopped,
    /// The client's side broke.
    ClientBroke,
    /// The upstream's side broke.
    UpstreamBroke,
}

/// Counts bytes as they pass.
pub(super) struct Meter<'a> {
    series: &'a TcpSeries,
    cluster: &'a ClusterStats,
    proxy: &'a TcpStats,
    received: Cell<u64>,
    sent: Cell<u64>,
    last: Cell<Instant>,
}

impl<'a> Meter<'a> {
    pub(super) fn new(
        series: &'a TcpSeries,
        cluster: &'a ClusterStats,
        proxy: &'a TcpStats,
    ) -> Self {
        let (received, sent) = (Cell::new(0), Cell::new(0));
        Self {
            series,
            cluster,
            proxy,
            received,
            sent,
            last: Cell::new(Instant::now()),
        }
    }

    /// Bytes from the client.
    pub(super) fn received(&self) -> u64 {
        self.received.get()
    }

    /// Bytes from the upstream.
    pub(super) fn sent(&self) -> u64 {
        self.sent.get()
    }

    fn receive(&self, count: u64) {
        self.received.set(self.received.get() + count);
        self.series.received.add(count);
        self.cluster.cx_tx_bytes.add(count);
        self.proxy.cx_rx_bytes.add(count);
        self.last.set(Instant::now());
    }

    fn send(&self, count: u64) {
        self.sent.set(self.sent.get() + count);
        self.series.sent.add(count);
        self.cluster.cx_rx_bytes.add(count);
        self.proxy.cx_tx_bytes.add(count);
        self.last.set(Instant::now());
    }
}

/// Which socket failed.
enum Broken {
    Reading,
    Writing,
}

/// One end of a connection.
pub(super) struct Side {
    pub(super) stream: RefCell<Stream>,
    pub(super) begins: Begins,
}

/// What an end sends first.
pub(super) enum Begins {
    /// These bytes, which were read already, then what comes.
    With(Vec<u8>),
    /// A frame about itself, which is not for the other end.
    WithFrame,
}

impl From<Stream> for Side {
    fn from(stream: Stream) -> Self {
        let (stream, begins) = (RefCell::new(stream), Begins::With(Vec::new()));
        Self { stream, begins }
    }
}

/// Copies until both directions have ended, one breaks, or nothing moves for `idle`.
pub(super) async fn both(
    client: Side,
    upstream: Side,
    idle: Option<Duration>,
    pool: &Rc<Buffers>,
    meter: &Meter<'_>,
) -> Ended {
    let (up_first, down_first) = (client.begins, upstream.begins);
    let (client, upstream) = (client.stream, upstream.stream);
    let up = async {
        first(&client, &upstream, up_first, |count| meter.receive(count))
            .await
            .map_err(client_broken)?;
        let result = half(&client, &upstream, pool, |count| meter.receive(count)).await;
        result.map_err(client_broken)
    };
    let down = async {
        first(&upstream, &client, down_first, |count| meter.send(count))
            .await
            .map_err(upstream_broken)?;
        let result = half(&upstream, &client, pool, |count| meter.send(count)).await;
        result.map_err(upstream_broken)
    };
    let ended = tokio::select! {
        joined = async { tokio::try_join!(up, down) } => joined.err().unwrap_or(Ended::Closed),
        () = idle_for(idle, meter) => Ended::Idle,
    };
    if matches!(ended, Ended::ClientBroke | Ended::UpstreamBroke) {
        // What one side could not finish must not look finished to the other.
        for stream in [&client, &upstream] {
            let _ = SockRef::from(stream.borrow().socket()).set_linger(Some(Duration::ZERO));
        }
    }
    ended
}

/// What reading from the client and writing to the upstream can come to.
fn client_broken(broken: Broken) -> Ended {
    match broken {
        Broken::Reading => Ended::ClientBroke,
        Broken::Writing => Ended::UpstreamBroke,
    }
}

/// The same for the other direction.
fn upstream_broken(broken: Broken) -> Ended {
    match broken {
        Broken::Reading => Ended::UpstreamBroke,
        Broken::Writing => Ended::ClientBroke,
    }
}

/// Hands over what one end begins with, but for what it says of itself.
async fn first(
    from: &RefCell<Stream>,
    to: &RefCell<Stream>,
    begins: Begins,
    count: impl Fn(u64),
) -> Result<(), Broken> {
    let bytes = match begins {
        Begins::With(bytes) => bytes,
        Begins::WithFrame => match exchange::hear(from).await {
            Ok(Heard::Frame(_)) => return Ok(()), // the endpoint's own metadata says as much
            Ok(Heard::Application(bytes)) => bytes,
            Err(_) => return Err(Broken::Reading),
        },
    };
    count(bytes.len() as u64);
    let mut written = 0;
    poll_fn(|cx| {
        while written < bytes.len() {
            written += ready!(write(to, cx, &bytes[written..]))?;
        }
        if bytes.is_empty() {
            Poll::Ready(Ok(()))
        } else {
            flush(to, cx)
        }
    })
    .await
    .map_err(|_| Broken::Writing)
}

/// One direction, until its reader has ended and its writer has been told so.
async fn half(
    from: &RefCell<Stream>,
    to: &RefCell<Stream>,
    pool: &Rc<Buffers>,
    count: impl Fn(u64),
) -> Result<(), Broken> {
    let mut buffer = pool.buffer();
    let mut unflushed = false;
    poll_fn(|cx| {
        loop {
            while !buffer.is_empty() {
                let written =
                    ready!(write(to, cx, buffer.filled())).map_err(|_| Broken::Writing)?;
                buffer.consume(written);
                unflushed = true;
            }
            match buffer.poll_fill(from, cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(read)) => count(read as u64),
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Broken::Reading)),
                Poll::Pending => {
                    if unflushed {
                        ready!(flush(to, cx)).map_err(|_| Broken::Writing)?;
                        unflushed = false;
                    }
                    return Poll::Pending;
                }
            }
        }
    })
    .await?;
    poll_fn(|cx| Pin::new(&mut *to.borrow_mut()).poll_shutdown(cx))
        .await
        .map_err(|_| Broken::Writing)
}

fn write(to: &RefCell<Stream>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
    let written = ready!(Pin::new(&mut *to.borrow_mut()).poll_write(cx, bytes))?;
    Poll::Ready(if written == 0 {
        Err(io::ErrorKind::WriteZero.into())
    } else {
        Ok(written)
    })
}

fn flush(to: &RefCell<Stream>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    Pin::new(&mut *to.borrow_mut()).poll_flush(cx)
}

/// Returns when nothing has moved for `limit`. The timer is set anew when it fires, not at each byte.
async fn idle_for(limit: Option<Duration>, meter: &Meter<'_>) {
    let Some(limit) = limit else {
        return std::future::pending().await;
    };
    loop {
        let due = meter.last.get() + limit;
        if Instant::now() >= due {
            return;
        }
        tokio::time::sleep_until(due).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    async fn sockets() -> (TcpStream, Stream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        (far, listener.accept().await.unwrap().0.into())
    }

    async fn copy(client: Stream, upstream: Stream, idle: Option<Duration>) -> Ended {
        let (series, cluster, proxy) = (
            TcpSeries::default(),
            ClusterStats::default(),
            TcpStats::default(),
        );
        let meter = Meter::new(&series, &cluster, &proxy);
        both(client.into(), upstream.into(), idle, &Rc::default(), &meter).await
    }

    #[tokio::test]
    async fn nothing_for_too_long_ends_a_connection() {
        let ((_client, near), (_server, far)) = (sockets().await, sockets().await);
        assert_eq!(
            copy(near, far, Some(Duration::from_millis(1))).await,
            Ended::Idle
        );
    }

    #[tokio::test]
    async fn a_reset_of_one_side_is_a_reset_of_the_other() {
        let ((client, near), (mut server, far)) = (sockets().await, sockets().await);
        SockRef::from(&client)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(client);
        assert_eq!(copy(near, far, None).await, Ended::ClientBroke);
        let error = server.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn one_direction_ends_without_the_other() {
        let ((mut client, near), (mut server, far)) = (sockets().await, sockets().await);
        let copying = copy(near, far, None);
        let talking = async {
            client.shutdown().await.unwrap();
            assert_eq!(server.read(&mut [0; 1]).await.unwrap(), 0);
            server.write_all(b"late answer").await.unwrap();
            drop(server);
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let (ended, answer) = tokio::join!(copying, talking);
        assert_eq!((ended, &*answer), (Ended::Closed, "late answer"));
    }
}
