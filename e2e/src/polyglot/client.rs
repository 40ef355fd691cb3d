//! Tries each protocol on each server and prints one line of JSON for each.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::dial::dial;
use crate::{GRPC, HTTP, HTTP2, WEBSOCKET, grpc, pattern};

const PROTOCOLS: [&str; 6] = ["http1", "upload", "download", "http2", "websocket", "grpc"];

/// The body of an HTTP/2 request or response, beyond any window's first size.
const HTTP2_BODY: u64 = 4 << 20;

pub(crate) async fn run(body: u64, servers: &[String]) -> Result<()> {
    let limit = Duration::from_secs(30 + (body >> 22));
    for server in servers {
        let (name, host) = server.split_once('=').context("a server is NAME=HOST")?;
        for protocol in PROTOCOLS {
            let outcome = timeout(limit, check(protocol, host, body)).await;
            let fault = match outcome {
                Ok(Ok(())) => String::new(),
                Ok(Err(fault)) => format!("{fault:#}"),
                Err(_) => format!("nothing after {limit:?}"),
            };
            println!(
                "{}",
                json!({"server": name, "protocol": protocol, "fault": fault})
            );
        }
    }
    Ok(())
}

async fn check(protocol: &str, host: &str, body: u64) -> Result<()> {
    match protocol {
        "http1" => greet(&mut Client::http1(host).await?).await,
        "upload" => upload(&mut Client::http1(host).await?, body).await,
        "download" => download(&mut Client::http1(host).await?, body).await,
        "http2" => {
            let mut client = Client::http2(host).await?;
            greet(&mut client).await?;
            upload(&mut client, HTTP2_BODY).await?;
            download(&mut client, HTTP2_BODY).await
        }
        "websocket" => talk(host).await,
        _ => grpc::call(host, GRPC).await,
    }
}

type Outgoing = BoxBody<Bytes, Infallible>;

/// One connection.
enum Client {
    Http1(http1::SendRequest<Outgoing>, String),
    Http2(http2::SendRequest<Outgoing>, String),
}

impl Client {
    async fn http1(host: &str) -> Result<Self> {
        let stream = TokioIo::new(dial(host, HTTP).await?);
        let (sender, connection) = http1::handshake(stream).await?;
        tokio::spawn(connection); // ends with its sender
        Ok(Self::Http1(sender, format!("{host}:{HTTP}")))
    }

    async fn http2(host: &str) -> Result<Self> {
        let stream = TokioIo::new(dial(host, HTTP2).await?);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
        tokio::spawn(connection); // ends with its sender
        Ok(Self::Http2(sender, format!("http://{host}:{HTTP2}")))
    }

    /// Sends a request and answers with a good response.
    async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: Outgoing,
    ) -> Result<Response<Incoming>> {
        let request = Request::builder().method(method);
        let response = match self {
            Self::Http1(sender, host) => {
                sender.ready().await?;
                let request = request.uri(path).header("host", host.as_str());
                sender.send_request(request.body(body)?).await?
            }
            Self::Http2(sender, origin) => {
                let request = request.uri(format!("{origin}{path}"));
                sender.send_request(request.body(body)?).await?
            }
        };
        ensure!(response.status() == 200, "status {}", response.status());
        Ok(response)
    }
}

fn nothing() -> Outgoing {
    Empty::new().boxed()
}

/// Three requests on one connection.
async fn greet(client: &mut Client) -> Result<()> {
    for _ in 0..3 {
        let response = client.send("GET", "/hello", nothing()).await?;
        response.into_body().collect().await?;
    }
    Ok(())
}

async fn upload(client: &mut Client, body: u64) -> Result<()> {
    let response = client.send("POST", "/sink", pattern::source(body)).await?;
    let count = response.into_body().collect().await?.to_bytes();
    ensure!(
        count == body.to_string(),
        "sent {body} bytes, the server counts {count:?}"
    );
    Ok(())
}

async fn download(client: &mut Client, body: u64) -> Result<()> {
    let path = format!("/source?bytes={body}");
    let response = client.send("GET", &path, nothing()).await?;
    let got = pattern::sink(response.into_body()).await?;
    ensure!(got == body, "asked for {body} bytes, got {got}");
    Ok(())
}

/// A WebSocket's messages come back: some for each form of a length.
async fn talk(host: &str) -> Result<()> {
    let stream = dial(host, WEBSOCKET).await?;
    let url = format!("ws://{host}:{WEBSOCKET}/");
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await?;
    for length in [5, 300, 100_000] {
        let sent = Message::binary(vec![b'x'; length]);
        socket.send(sent.clone()).await?;
        let got = socket.next().await.context("the connection ended")??;
        ensure!(got == sent, "{length} bytes came back as {}", got.len());
    }
    socket.close(None).await?;
    while let Some(message) = socket.next().await {
        ensure!(message?.is_close(), "a message nobody sent");
    }
    Ok(())
}
