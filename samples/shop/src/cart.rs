//! What somebody wants to buy, over gRPC: `shop.Cart/Add`. Kept in memory, for each pod its own.

use crate::grpc;
use crate::hop::{Hop, Me};
use axum::Router;
use prost::Message;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Path of the method.
pub(crate) const ADD: &str = "/shop.Cart/Add";

/// Puts one product into somebody's cart.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Item {
    /// Whose cart.
    #[prost(string, tag = "1")]
    pub(crate) user: String,
    /// Product, from 1.
    #[prost(uint64, tag = "2")]
    pub(crate) product: u64,
}

/// The cart afterwards.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Filled {
    /// How many products are in it.
    #[prost(uint64, tag = "1")]
    pub(crate) items: u64,
    /// Who says so.
    #[prost(message, optional, tag = "2")]
    pub(crate) hop: Option<Hop>,
}

/// User → number of products.
type Carts = Mutex<HashMap<String, u64>>;

/// The service.
pub(crate) fn router(me: Arc<Me>) -> Router {
    let carts = Arc::new(Carts::default());
    let add = grpc::unary(move |headers, item: Item| {
        let filled = Filled {
            items: put(&carts, item.user),
            hop: Some(me.hop(&headers)),
        };
        async move { Ok(filled) }
    });
    Router::new()
        .route(ADD, add)
        .route(grpc::HEALTH, grpc::health())
}

fn put(carts: &Carts, user: String) -> u64 {
    let mut carts = carts.lock().unwrap_or_else(PoisonError::into_inner);
    let items = carts.entry(user).or_default();
    *items += 1;
    *items
}
