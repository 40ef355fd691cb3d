//! What people think of a product. v1 has words only, v2 adds stars, v3 adds their mean.

use crate::client::Client;
use crate::grpc;
use crate::hop::{Hop, Me};
use crate::ratings::{self, Stars};
use crate::serve::Bad;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// All reviews of a product.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Reviews {
    /// What people said.
    pub(crate) texts: Vec<String>,
    /// What they gave; empty in v1.
    pub(crate) stars: Vec<u32>,
    /// Their mean, in v3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mean: Option<f64>,
    /// Who took part.
    pub(crate) hops: Vec<Hop>,
}

/// `GET /reviews/{product}`.
pub(crate) fn router(me: Arc<Me>, client: Arc<Client>) -> Router {
    Router::new().route(
        "/reviews/{product}",
        get(|Path(product): Path<u64>, headers: HeaderMap| async move {
            reviews(&me, &client, product, &headers).await.map(Json)
        }),
    )
}

async fn reviews(
    me: &Me,
    client: &Client,
    product: u64,
    headers: &HeaderMap,
) -> Result<Reviews, Bad> {
    let mut reviews = Reviews {
        texts: vec!["does what it says".into(), "would buy it again".into()],
        stars: Vec::new(),
        mean: None,
        hops: vec![me.hop(headers)],
    };
    if me.version == "v1" {
        return Ok(reviews);
    }
    let question = ratings::Question { product };
    let answer: Stars = grpc::call(&client.ratings, ratings::GET, question, headers).await?;
    reviews.hops.extend(answer.hop);
    if me.version == "v3" {
        reviews.mean = mean(&answer.stars);
    }
    reviews.stars = answer.stars;
    Ok(reviews)
}

fn mean(stars: &[u32]) -> Option<f64> {
    let count = u32::try_from(stars.len()).ok().filter(|count| *count > 0)?;
    Some(f64::from(stars.iter().sum::<u32>()) / f64::from(count))
}
