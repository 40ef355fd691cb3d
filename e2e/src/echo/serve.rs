//! The servers.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

use crate::answer::answer;

/// How long a server that was told to stop still answers: until nobody is sent to it any more.
const LAME_DUCK: Duration = Duration::from_secs(4);

/// The greeting of the TCP server.
const BANNER: &[u8] = b"220 weft-echo speaks first\r\n";

/// Serves HTTP/1.1 and HTTP/2 without TLS.
pub(crate) async fn http(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address).await?;
    accept(listener, |stream| async move {
        let server = auto::Builder::new(TokioExecutor::new());
        let served = server
            .serve_connection(TokioIo::new(stream), service_fn(answer))
            .await;
        drop(served); // the client's business: it reports what went wrong
    })
    .await
}

/// Greets each connection, then sends back what comes.
pub(crate) async fn banner(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address).await?;
    accept(listener, |mut stream| async move {
        if stream.write_all(BANNER).await.is_ok() {
            let (mut read, mut write) = stream.split();
            drop(tokio::io::copy(&mut read, &mut write).await); // ends when the client wants
        }
    })
    .await
}

pub(crate) async fn accept<F>(listener: TcpListener, serve: impl Fn(TcpStream) -> F) -> Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let stopped = stopped();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            accepted = listener.accept() => { tokio::spawn(serve(accepted?.0)); }
            told = &mut stopped => return told,
        }
    }
}

async fn stopped() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    terminate.recv().await;
    tokio::time::sleep(LAME_DUCK).await;
    Ok(())
}
