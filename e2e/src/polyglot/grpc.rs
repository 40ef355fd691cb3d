//! gRPC with bytes for messages, so that no language needs generated code.

use std::convert::Infallible;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BufMut, Bytes};
use futures::TryStreamExt;
use http::uri::PathAndQuery;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status, Streaming};
use tower::service_fn;

use crate::dial::dial;

/// The message of a status, so that its encoding is seen.
const NOBODY: &str = "nobody here: ü";

/// Bytes as they are.
#[derive(Clone, Copy, Debug, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// Answers one call of the service `weft.Polyglot`.
pub(crate) async fn answer(
    request: http::Request<Incoming>,
) -> Result<http::Response<tonic::body::Body>, Infallible> {
    let mut server = tonic::server::Grpc::new(Raw);
    let say = service_fn(async |request: Request<Bytes>| Ok(Response::new(request.into_inner())));
    let fail =
        service_fn(async |_: Request<Bytes>| Err::<Response<Bytes>, _>(Status::not_found(NOBODY)));
    let chat = service_fn(async |request: Request<Streaming<Bytes>>| {
        Ok(Response::new(request.into_inner()))
    });
    Ok(match request.uri().path() {
        "/weft.Polyglot/Say" => server.unary(say, request).await,
        "/weft.Polyglot/Fail" => server.unary(fail, request).await,
        "/weft.Polyglot/Chat" => server.streaming(chat, request).await,
        _ => Status::unimplemented("no such method").into_http(),
    })
}

/// Makes one call that succeeds, one that fails, and one with a stream in each direction.
pub(crate) async fn call(host: &str, port: u16) -> Result<()> {
    let mut client = tonic::client::Grpc::new(channel(host, port).await?);
    let hello = Bytes::from_static(b"hello");
    let said = unary(&mut client, "/weft.Polyglot/Say", &hello)
        .await
        .context("Say")?;
    ensure!(said == hello, "Say: {said:?}");
    match unary(&mut client, "/weft.Polyglot/Fail", &hello).await {
        Err(status) if status.code() == Code::NotFound && status.message() == NOBODY => {}
        other => bail!("Fail: {other:?}"),
    }
    converse(&mut client).await.context("Chat")
}

async fn channel(host: &str, port: u16) -> Result<Channel> {
    let name = host.to_owned();
    let connector = service_fn(move |_| {
        let name = name.clone();
        async move { dial(&name, port).await.map(TokioIo::new) }
    });
    let endpoint = Endpoint::from_shared(format!("http://{host}:{port}"))?;
    Ok(endpoint.connect_with_connector(connector).await?)
}

type Client = tonic::client::Grpc<Channel>;

async fn unary(client: &mut Client, path: &'static str, message: &Bytes) -> Result<Bytes, Status> {
    ready(client).await?;
    let answer = client
        .unary(
            Request::new(message.clone()),
            PathAndQuery::from_static(path),
            Raw,
        )
        .await?;
    Ok(answer.into_inner())
}

async fn converse(client: &mut Client) -> Result<()> {
    ready(client).await?;
    // A server need not answer before the first message, so all are sent before the answer is awaited.
    let sent = ["message 0", "message 1", "message 2"].map(Bytes::from);
    let outgoing = futures::stream::iter(sent.clone());
    let path = PathAndQuery::from_static("/weft.Polyglot/Chat");
    let answers = client.streaming(Request::new(outgoing), path, Raw).await?;
    let got: Vec<_> = answers.into_inner().try_collect().await?;
    ensure!(got == sent, "{got:?}");
    Ok(())
}

async fn ready(client: &mut Client) -> Result<(), Status> {
    client
        .ready()
        .await
        .map_err(|fault| Status::unavailable(fault.to_string()))
}
