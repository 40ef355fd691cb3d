//! Takes the money: `POST /payments`, `GET /payments` tells how much there is.

use crate::hop::{Hop, Me};
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A payment.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Payment {
    /// Who pays.
    pub(crate) user: String,
    /// In cents.
    pub(crate) amount: u32,
}

/// What there is afterwards.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Receipt {
    /// All payments to this pod, in cents.
    pub(crate) total: u64,
    /// Who says so.
    pub(crate) hop: Hop,
}

/// The service.
pub(crate) fn router(me: Arc<Me>) -> Router {
    let total = Arc::new(AtomicU64::new(0));
    let (payer, reader) = ((me.clone(), total.clone()), (me, total));
    let pay = |headers: HeaderMap, Json(payment): Json<Payment>| async move {
        let (me, total) = payer;
        let amount = u64::from(payment.amount);
        Json(Receipt {
            total: total.fetch_add(amount, Relaxed) + amount,
            hop: me.hop(&headers),
        })
    };
    let read = |headers: HeaderMap| async move {
        let (me, total) = reader;
        Json(Receipt {
            total: total.load(Relaxed),
            hop: me.hop(&headers),
        })
    };
    Router::new().route("/payments", post(pay).get(read))
}
