//! Visits the frontend all the time; `GET /stats` tells how it went.

use crate::catalog;
use crate::client::Client;
use crate::frontend::{Bought, Order, Page};
use crate::hop::Hop;
use axum::http::HeaderMap;
use axum::routing::get;
use axum::{Json, Router};
use rand::Rng;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One visit of ten buys something.
const BUYERS: f64 = 0.1;

/// What happened so far.
#[derive(Clone, Debug, Default, Serialize)]
struct Stats {
    answered: u64,
    failed: u64,
    /// Text of the last failure.
    last_failure: Option<String>,
    /// `service version pod caller` → answers.
    seen: BTreeMap<String, u64>,
}

type Shared = Arc<Mutex<Stats>>;

/// Starts the visits and tells of them.
pub(crate) fn start(rate: f64, client: Arc<Client>) -> Router {
    let stats = Shared::default();
    tokio::spawn(visit_for_ever(rate, client, stats.clone()));
    Router::new().route(
        "/stats",
        get(|| async move { Json(stats.lock().unwrap_or_else(PoisonError::into_inner).clone()) }),
    )
}

async fn visit_for_ever(rate: f64, client: Arc<Client>, stats: Shared) {
    let mut tick = tokio::time::interval(Duration::from_secs_f64(1.0 / rate.clamp(0.01, 10_000.0)));
    loop {
        tick.tick().await;
        let (client, stats) = (client.clone(), stats.clone());
        // A slow answer must not slow down the other visits.
        tokio::spawn(async move {
            let outcome = visit(&client).await;
            note(
                &mut stats.lock().unwrap_or_else(PoisonError::into_inner),
                outcome,
            );
        });
    }
}

async fn visit(client: &Client) -> anyhow::Result<Vec<Hop>> {
    let product = rand::rng().random_range(1..=catalog::COUNT);
    let (shop, nothing) = (&client.peers.frontend, HeaderMap::new());
    if rand::rng().random_bool(BUYERS) {
        let order = Order {
            user: "visitor".into(),
            product,
        };
        let bought: Bought = client
            .post(format!("{shop}/checkout"), &order, &nothing)
            .await?;
        return Ok(bought.hops);
    }
    let page: Page = client
        .get(format!("{shop}/products/{product}"), &nothing)
        .await?;
    Ok(page.hops)
}

fn note(stats: &mut Stats, outcome: anyhow::Result<Vec<Hop>>) {
    match outcome {
        Ok(hops) => {
            stats.answered += 1;
            for Hop {
                service,
                version,
                pod,
                caller,
                ..
            } in hops
            {
                let key = format!("{service} {version} {pod} {caller}");
                *stats.seen.entry(key).or_default() += 1;
            }
        }
        Err(e) => {
            stats.failed += 1;
            stats.last_failure = Some(format!("{e:#}"));
        }
    }
}
