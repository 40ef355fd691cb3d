//! After a granted upgrade: bytes both ways, each direction until its own end.

use super::attempt::Tried;
use super::{Flight, respond};
use crate::data::http::body::{Body, Broken, Incoming, Outgoing, pump};
use crate::data::http::head::Response;

/// Relays the 101 and then every byte. `to` and the answer's body are the upstream's side.
pub(super) async fn run(
    flight: &mut Flight<'_>,
    body: &mut Body<'_>,
    mut to: Outgoing<'_>,
    (mut response, from): (Response, Incoming<'_>),
) -> Tried {
    flight.record.details = "via_upstream".into();
    respond::from_upstream(flight, &mut response);
    let Ok(mut back) = respond::head(flight, response) else {
        return Tried::Client(Broken::Closed);
    };
    if back.flush().await.is_err() {
        return Tried::Client(Broken::Closed);
    }
    body.become_tunnel();
    to.become_tunnel();
    let mut from = Body::new(from);
    // Either way the connection has carried all it ever will.
    let _ = futures::future::try_join(pump(body, &mut to), pump(&mut from, &mut back)).await;
    flight.record.response_bytes = from.bytes();
    Tried::Answered {
        complete: false,
        reusable: false,
    }
}
