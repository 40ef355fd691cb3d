//! The life of one request: prepare, find the route, pass the filters, get an answer, keep the
//! books.

mod attempt;
mod connect;
mod filters;
mod finish;
mod forward;
mod hash;
mod mirror;
mod peer;
mod repeat;
mod request;
mod respond;
mod tunnel;

pub use finish::refused;

use super::body::Body;
use super::downstream::Downstream;
use super::fields::Fields;
use super::head::{Length, Request};
use super::headers::{self, Escaped};
use super::limits::{Limits, Timer};
use super::local::Local;
use super::record::Record;
use super::reply::Reply;
use super::route::{self, Matched};
use crate::config::{Action, HttpFilter, Redirect, WeightedCluster};
use http::Method;
use rand::Rng;
use std::sync::Arc;

/// One request on its way.
#[derive(Debug)]
pub struct Flight<'a> {
    down: &'a Downstream,
    request: Request,
    reply: Reply<'a>,
    limits: Limits,
    record: Record,
    matched: Option<Matched>,
    /// The share of the route's weighted clusters.
    share: Option<Arc<WeightedCluster>>,
    /// Fields that filters add to the response, whoever gives it.
    promised: Fields,
}

impl Flight<'_> {
    /// The response will have `fields`.
    fn promise(&mut self, fields: &Fields) {
        for (name, value) in fields.iter() {
            self.promised.push(name, value);
        }
    }
}

/// Answers `request`; says whether client and proxy agree on where the response ended.
pub async fn exchange(
    down: &Downstream,
    mut request: Request,
    body: &mut Body<'_>,
    reply: Reply<'_>,
) -> bool {
    let mut record = Record::new();
    record.counted = down.hcm.filters.contains(&HttpFilter::IstioStats);
    let refused = prepare(down, &mut request);
    let table = down.table();
    let dice = rand::rng().random_range(0..1_000_000);
    let matched = table.and_then(|table| table.find(&request, dice));
    let mut limits = Limits::default();
    if request.length != Length::Empty {
        limits.request = Timer::new(down.hcm.request_timeout);
        limits.request.start();
    }
    let mut flight = Flight {
        down,
        request,
        reply,
        limits,
        record,
        matched,
        share: None,
        promised: Fields::default(),
    };
    flight.record.route = flight
        .matched
        .as_ref()
        .map(|matched| Arc::clone(&matched.route));
    peer::on_request(&mut flight);
    let answer = match refused {
        Some(local) => Some(local),
        None => filters::run(&mut flight).await,
    };
    let complete = match answer {
        Some(local) => respond::local(&mut flight, local).await,
        None => act(&mut flight, body).await,
    };
    finish::report(&flight, body);
    complete
}

/// Brings the request into its canonical form. `Some` is an answer at once.
fn prepare(down: &Downstream, request: &mut Request) -> Option<Local> {
    if request.method == Method::CONNECT {
        return Some(Local::new(405, "", "connect_not_supported"));
    }
    if !headers::underscores(down.hcm.underscores, &mut request.fields) {
        return Some(Local::new(400, "", "unexpected_underscore"));
    }
    match headers::normalize(&down.hcm, &mut request.target) {
        Escaped::Fine => {}
        Escaped::Reject => return Some(Local::new(400, "", "path_normalization_failed")),
        Escaped::Redirect => {
            let local = Local::new(307, "", "path_normalization_failed");
            return Some(local.with("location", &request.target));
        }
    }
    headers::prepare(&down.hcm, &down.conn, request);
    let mode = down.hcm.forward_client_cert;
    headers::forward(mode, down.element.as_deref(), &mut request.fields);
    None
}

async fn act(flight: &mut Flight<'_>, body: &mut Body<'_>) -> bool {
    let Some(matched) = flight.matched.clone() else {
        return respond::local(flight, Local::no_route()).await;
    };
    if matched.host.require_tls && flight.request.scheme == "http" {
        let to = format!(
            "https://{}{}",
            flight.request.authority, flight.request.target
        );
        return respond::local(
            flight,
            Local::new(301, "", "direct_response").with("location", &to),
        )
        .await;
    }
    match &matched.route.action {
        Action::Forward(forward) => forward::forward(flight, body, &matched, forward).await,
        Action::Respond { status, body } => {
            let mut local = Local::new(*status, body.to_vec(), "direct_response");
            if matches!(status, 201 | 300..=399) {
                // As Envoy: what was made, or is elsewhere, is at the request's own place.
                let here = Redirect::default();
                let place = route::redirect(&here, &matched.route.matches, &flight.request);
                local = local.with("location", &place);
            }
            respond::local(flight, local).await
        }
        Action::Redirect(redirect) => {
            let to = route::redirect(redirect, &matched.route.matches, &flight.request);
            let local = Local::new(redirect.status, "", "direct_response");
            respond::local(flight, local.with("location", &to)).await
        }
    }
}
