//! Products and their prices.

use crate::hop::{Hop, Me};
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Name and price in cents, in the order of their numbers from 1.
const PRODUCTS: [(&str, u32); 4] = [
    ("loom", 129_900),
    ("shuttle", 1_450),
    ("yarn", 690),
    ("spindle", 2_300),
];

/// How many products there are.
pub(crate) const COUNT: usize = PRODUCTS.len();

/// A product.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Product {
    /// From 1.
    pub(crate) id: usize,
    /// What it is called.
    pub(crate) name: String,
    /// In cents.
    pub(crate) price: u32,
    /// Who says so.
    pub(crate) hop: Hop,
}

/// `GET /products/{id}`.
pub(crate) fn router(me: Arc<Me>) -> Router {
    Router::new().route(
        "/products/{id}",
        get(|Path(id): Path<usize>, headers: HeaderMap| async move { product(id, me.hop(&headers)) }),
    )
}

fn product(id: usize, hop: Hop) -> Result<Json<Product>, StatusCode> {
    let (name, price) = id
        .checked_sub(1)
        .and_then(|index| PRODUCTS.get(index))
        .ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(Product {
        id,
        name: (*name).to_owned(),
        price: *price,
        hop,
    }))
}
