//! The servers.

use std::net::Ipv6Addr;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http::{Request, Response};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use tokio::net::{TcpListener, TcpStream};

use crate::{GRPC, HTTP, HTTP2, LANGUAGE, WEBSOCKET, grpc, pattern};

/// Serves for ever. What goes wrong on a connection is the client's to say.
pub(crate) async fn all() -> Result<()> {
    tokio::try_join!(
        accept(HTTP, |stream| async {
            let server = http1::Builder::new();
            drop(
                server
                    .serve_connection(TokioIo::new(stream), service_fn(answer))
                    .await,
            );
        }),
        accept(HTTP2, |stream| async {
            let server = http2::Builder::new(TokioExecutor::new());
            drop(
                server
                    .serve_connection(TokioIo::new(stream), service_fn(answer))
                    .await,
            );
        }),
        accept(GRPC, |stream| async {
            let server = http2::Builder::new(TokioExecutor::new());
            drop(
                server
                    .serve_connection(TokioIo::new(stream), service_fn(grpc::answer))
                    .await,
            );
        }),
        accept(WEBSOCKET, |stream| async {
            drop(echo(stream).await);
        }),
    )?;
    Ok(())
}

async fn accept<F>(port: u16, serve: impl Fn(TcpStream) -> F) -> Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await?;
    loop {
        tokio::spawn(serve(listener.accept().await?.0));
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<BoxBody<Bytes, Infallible>>> {
    let body = match request.uri().path() {
        "/sink" => text(pattern::sink(request.into_body()).await?.to_string()),
        "/source" => {
            let query = request.uri().query().unwrap_or_default();
            let total = query.strip_prefix("bytes=").context("?bytes=N")?;
            pattern::source(total.parse()?)
        }
        _ => text(LANGUAGE.to_owned()),
    };
    Ok(Response::new(body))
}

fn text(text: String) -> BoxBody<Bytes, Infallible> {
    Full::from(text).boxed()
}

/// Sends each message of a WebSocket back.
async fn echo(stream: TcpStream) -> Result<()> {
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}
