//! gRPC without generated code: a unary method is a path, a question and an answer.

use crate::client::passed_on;
use anyhow::{Context, Result};
use axum::body::Body;
use axum::routing::{MethodRouter, post};
use http::HeaderMap;
use http::uri::PathAndQuery;
use prost::Message;
use std::future::Future;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Extensions, Request, Response, Status};
use tonic_prost::ProstCodec;

/// A server's method.
pub(crate) fn unary<Q, A, F, Fut>(answer: F) -> MethodRouter
where
    Q: Message + Default + 'static,
    A: Message + Default + 'static,
    F: Fn(HeaderMap, Q) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<A, Status>> + Send + 'static,
{
    post(move |request: http::Request<Body>| async move {
        let service = tower::service_fn(move |request: Request<Q>| {
            let (metadata, _, question) = request.into_parts();
            let answer = answer(metadata.into_headers(), question);
            async move { answer.await.map(Response::new) }
        });
        let mut grpc = tonic::server::Grpc::new(ProstCodec::<A, Q>::default());
        grpc.unary(service, request).await
    })
}

/// Calls a method; `from` are the headers of the request that this call is made for.
pub(crate) async fn call<Q, A>(
    channel: &Channel,
    path: &'static str,
    question: Q,
    from: &HeaderMap,
) -> Result<A>
where
    Q: Message + 'static,
    A: Message + Default + 'static,
{
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await?;
    let metadata = MetadataMap::from_headers(passed_on(from));
    let request = Request::from_parts(metadata, Extensions::default(), question);
    let answer = grpc
        .unary(
            request,
            PathAndQuery::from_static(path),
            ProstCodec::<Q, A>::default(),
        )
        .await
        .with_context(|| path)?;
    Ok(answer.into_inner())
}

/// Path of the method that Kubernetes' gRPC probes call.
pub(crate) const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// `grpc.health.v1.HealthCheckRequest`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct HealthQuestion {
    #[prost(string, tag = "1")]
    service: String,
}

/// `grpc.health.v1.HealthCheckResponse`; 1 is SERVING.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct HealthAnswer {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// A server that answers is healthy.
pub(crate) fn health() -> MethodRouter {
    unary(|_, _: HealthQuestion| async { Ok(HealthAnswer { status: 1 }) })
}
