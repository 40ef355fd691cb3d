//! A small HTTP/1 server for people, the kubelet and Prometheus. Not the data path.

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// Time for a complete request head.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer in one piece.
pub type Answer = Response<Full<Bytes>>;

/// What answers the requests of one port.
pub trait Answers: Send + Sync + 'static {
    /// Answers one request.
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> BoxFuture<'static, Answer>;
}

/// Listens on `port` of every address, IPv6 included where there is any.
///
/// # Errors
/// What the system said, with the port.
pub async fn everywhere(port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => bind((Ipv4Addr::UNSPECIFIED, port).into()).await,
    }
}

/// Listens on `address`.
///
/// # Errors
/// What the system said, with the address.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("listen on {address}: {error}"));
    TcpListener::bind(address).await.map_err(named)
}

/// Serves for ever.
pub async fn run<A: Answers>(listener: TcpListener, answers: Arc<A>) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                let answers = Arc::clone(&answers);
                let service = service_fn(move |request| {
                    let answer = Arc::clone(&answers).answer(request);
                    async move { Ok::<_, Infallible>(answer.await) }
                });
                // Ends with its connection, whose other side has its own patience.
                tokio::spawn(async move {
                    let served = hyper::server::conn::http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(PATIENCE)
                        .serve_connection(TokioIo::new(socket), service)
                        .await;
                    if let Err(error) = served {
                        tracing::debug!(%error, "connection of a probe or scrape");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Plain text.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    typed(status, "text/plain; charset=UTF-8", body)
}

/// A JSON document.
pub fn json(value: &serde_json::Value) -> Answer {
    let body = serde_json::to_vec_pretty(value).expect("a JSON value can be written");
    typed(StatusCode::OK, "application/json", body)
}

/// Prometheus' text format.
pub fn prometheus(body: String) -> Answer {
    typed(
        StatusCode::OK,
        "text/plain; version=0.0.4; charset=utf-8",
        body,
    )
}

fn typed(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let value = header::HeaderValue::from_static(kind);
    answer.headers_mut().insert(header::CONTENT_TYPE, value);
    answer
}
