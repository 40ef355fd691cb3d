//! Heads on their way to the client, and answers of our own.

use super::Flight;
use crate::data::http::body::{Body, Broken, Incoming, Outgoing, pump};
use crate::data::http::fields::Fields;
use crate::data::http::h1::encode::push_number;
use crate::data::http::head::{Length, Request, Response, Version};
use crate::data::http::headers::{self, Values};
use crate::data::http::local::Local;
use crate::data::report::Flag;
use http::Method;

/// Sends an answer of our own; says whether it arrived.
pub(super) async fn local(flight: &mut Flight<'_>, local: Local) -> bool {
    if let Some(flag) = local.flag {
        flight.record.flags.add(flag);
    }
    flight.record.details = local.details.clone();
    let (response, bytes) = local.answer(&flight.request);
    flight.record.response_bytes = bytes.len() as u64;
    let sent = async {
        let mut to = head(flight, response)?;
        let mut body = Body::new(Incoming::Memory(bytes));
        pump(&mut body, &mut to).await.map_err(|_| Broken::Closed)
    };
    let sent = sent.await.is_ok();
    if !sent {
        flight
            .record
            .flags
            .add(Flag::DownstreamConnectionTermination);
    }
    sent
}

/// What is added to an upstream's answer only.
pub(super) fn from_upstream(flight: &mut Flight<'_>, response: &mut Response) {
    let began = flight.record.response_began.unwrap_or_default();
    let milliseconds = u64::try_from(began.as_millis()).unwrap_or(u64::MAX);
    let mut text = Vec::with_capacity(8);
    push_number(milliseconds, &mut text);
    response.fields.set("x-envoy-upstream-service-time", &text);
}

/// gRPC errors of the server's making count as its HTTP errors.
pub(super) fn status_for_health(response: &Response) -> u16 {
    match response.fields.text("grpc-status") {
        Some("14") => 503,
        Some("2" | "13" | "15") => 500,
        _ => response.status,
    }
}

/// Keeps what trailers say of the outcome.
pub(super) fn note_trailers(flight: &mut Flight<'_>, trailers: Option<&Fields>) {
    if let Some(status) = trailers.and_then(|trailers| trailers.text("grpc-status")) {
        flight.record.grpc_status = status.parse().ok();
    }
}

/// Puts the proxy's own touch on a response and begins it.
///
/// # Errors
/// When the client has gone.
pub(super) fn head<'a>(
    flight: &mut Flight<'a>,
    mut response: Response,
) -> Result<Outgoing<'a>, Broken> {
    super::peer::on_response(flight, &mut response.fields);
    for (name, value) in flight.promised.iter() {
        // Every cookie is a field of its own (RFC 6265 §3).
        if name == "set-cookie" {
            response.fields.push(name, value);
        } else {
            response.fields.set(name, value);
        }
    }
    edit(flight, &mut response);
    let http = &flight.down.worker.http;
    if !response.fields.contains("date") {
        http.with_date(|date| response.fields.push("date", date));
    }
    if let Some(name) = &flight.down.hcm.server_name {
        match flight.down.hcm.keep_server {
            true => response.fields.set_if_absent("server", name.as_bytes()),
            false => response.fields.set("server", name.as_bytes()),
        }
    }
    say_empty(&flight.request, &mut response);
    flight.record.status = response.status;
    flight.record.grpc_status = response
        .fields
        .text("grpc-status")
        .and_then(|status| status.parse().ok());
    let to = flight.reply.head(&response);
    flight.record.response = Some(response.fields);
    to
}

/// Without a length a client of HTTP/1 would wait for the end of the connection (RFC 9112 §6.3).
fn say_empty(request: &Request, response: &mut Response) {
    let bodiless =
        matches!(response.status, 100..=199 | 204 | 304) || request.method == Method::HEAD;
    let unsaid = response.length == Length::Empty && request.version != Version::Http2;
    if unsaid && !bodiless {
        response.fields.set_if_absent("content-length", b"0");
    }
}

/// Header changes of route, virtual host and table, the most exact first as in Envoy.
fn edit(flight: &Flight<'_>, response: &mut Response) {
    let Some(matched) = &flight.matched else {
        return;
    };
    let values = Values {
        conn: &flight.down.conn,
        request: Some(&flight.request),
        status: Some(response.status),
    };
    let edits = [
        flight.share.as_ref().map(|share| &share.headers.response),
        Some(&matched.route.headers.response),
        Some(&matched.host.headers.response),
        Some(&matched.table.config.headers.response),
    ];
    for edit in edits.into_iter().flatten() {
        headers::apply(edit, &mut response.fields, &values);
    }
}
