//! What a browser sees. `GET /products/{id}` shows a product with its reviews, `POST /checkout` buys
//! it; both tell every service that took part. `GET /` sends to the first product.

use crate::cart::{self, Filled};
use crate::catalog::Product;
use crate::client::Client;
use crate::grpc;
use crate::hop::{Hop, Me};
use crate::payment::{Payment, Receipt};
use crate::reviews::Reviews;
use crate::serve::Bad;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A product and what people think of it.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Page {
    name: String,
    /// In cents.
    price: u32,
    reviews: Vec<String>,
    stars: Vec<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<f64>,
    /// Who took part, in the order of the calls.
    pub(crate) hops: Vec<Hop>,
}

/// Somebody buys something.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Order {
    /// Who.
    pub(crate) user: String,
    /// What, from 1.
    pub(crate) product: usize,
}

/// What came of it.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Bought {
    name: String,
    /// In cents.
    paid: u32,
    /// Products in the cart.
    items: u64,
    /// Who took part.
    pub(crate) hops: Vec<Hop>,
}

type Shared = State<(Arc<Me>, Arc<Client>)>;

/// The service.
pub(crate) fn router(me: Arc<Me>, client: Arc<Client>) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/products/1") }))
        .route("/products/{id}", get(page))
        .route("/checkout", post(checkout))
        .with_state((me, client))
}

async fn page(
    State((me, client)): Shared,
    Path(id): Path<usize>,
    headers: HeaderMap,
) -> Result<Json<Page>, Bad> {
    let peers = &client.peers;
    let product = client.get::<Product>(format!("{}/products/{id}", peers.catalog), &headers);
    let reviews = client.get::<Reviews>(format!("{}/reviews/{id}", peers.reviews), &headers);
    let (product, reviews) = futures::try_join!(product, reviews)?;
    let mut hops = vec![me.hop(&headers), product.hop];
    hops.extend(reviews.hops);
    Ok(Json(Page {
        name: product.name,
        price: product.price,
        reviews: reviews.texts,
        stars: reviews.stars,
        mean: reviews.mean,
        hops,
    }))
}

async fn checkout(
    State((me, client)): Shared,
    headers: HeaderMap,
    Json(order): Json<Order>,
) -> Result<Json<Bought>, Bad> {
    let Order { user, product: id } = order;
    let peers = &client.peers;
    let product: Product = client
        .get(format!("{}/products/{id}", peers.catalog), &headers)
        .await?;
    let item = cart::Item {
        user: user.clone(),
        product: u64::try_from(id)?,
    };
    let filled: Filled = grpc::call(&client.cart, cart::ADD, item, &headers).await?;
    let payment = Payment {
        user,
        amount: product.price,
    };
    let receipt: Receipt = client
        .post(format!("{}/payments", peers.payment), &payment, &headers)
        .await?;
    let mut hops = vec![me.hop(&headers), product.hop];
    hops.extend(filled.hop);
    hops.push(receipt.hop);
    Ok(Json(Bought {
        name: product.name,
        paid: product.price,
        items: filled.items,
        hops,
    }))
}
