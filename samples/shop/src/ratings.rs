//! Stars, over gRPC: `shop.Ratings/Get`.

use crate::grpc;
use crate::hop::{Hop, Me};
use axum::Router;
use prost::Message;
use std::sync::Arc;
use tonic::Status;

/// Path of the method.
pub(crate) const GET: &str = "/shop.Ratings/Get";

/// Which product.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Question {
    /// From 1.
    #[prost(uint64, tag = "1")]
    pub(crate) product: u64,
}

/// Its stars.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Stars {
    /// One number for each reviewer, from 1 to 5.
    #[prost(uint32, repeated, tag = "1")]
    pub(crate) stars: Vec<u32>,
    /// Who says so.
    #[prost(message, optional, tag = "2")]
    pub(crate) hop: Option<Hop>,
}

/// The service.
pub(crate) fn router(me: Arc<Me>) -> Router {
    let get = grpc::unary(move |headers, question: Question| {
        let hop = me.hop(&headers);
        async move { stars(question.product, hop) }
    });
    Router::new()
        .route(GET, get)
        .route(grpc::HEALTH, grpc::health())
}

fn stars(product: u64, hop: Hop) -> Result<Stars, Status> {
    if product == 0 {
        return Err(Status::not_found("products are counted from 1"));
    }
    let stars = [product, product * 3].map(|n| u32::try_from(n % 5).unwrap_or(0) + 1);
    Ok(Stars {
        stars: stars.to_vec(),
        hop: Some(hop),
    })
}
