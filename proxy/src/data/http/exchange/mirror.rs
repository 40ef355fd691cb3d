//! Shadow traffic: copies of requests to other clusters, whose answers nobody sees. Source: Envoy
//! `RequestMirrorPolicy`.
//!
//! A copy is sent when the request has been answered, if its body could be kept whole until then.

use super::Flight;
use super::connect::{Wanted, connect};
use super::filters::falls_in;
use super::respond::status_for_health;
use crate::config::{Forward, Mirror};
use crate::data::choose::{Outcome, Pick, Upstream};
use crate::data::http::body::{Body, Broken, Failed, Incoming, Piece, pump};
use crate::data::http::failure::Failure;
use crate::data::http::head::{Request, Response};
use crate::data::http::pool::Connection;
use crate::data::report::Flags;
use crate::data::worker::Worker;
use bytes::Bytes;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::timeout;

/// Time for a copy whose route has no limit.
const LIMIT: Duration = Duration::from_secs(60);

/// Sends the copies that the route wants. Each is a task of its own that ends at the latest with
/// the route's timeout; circuit breakers of its cluster bound how many there are.
pub(super) fn send(flight: &Flight<'_>, forward: &Forward, body: &Body<'_>) {
    for mirror in &forward.mirrors {
        if !falls_in(mirror.per_million) || flight.request.connection.upgrade {
            continue;
        }
        let upstream = flight.down.worker.upstreams.get(&mirror.cluster);
        let (Some(upstream), Some(bytes)) = (upstream, body.whole()) else {
            flight.down.stats.mirror_dropped.increment();
            continue;
        };
        let copy = Copy {
            worker: Rc::clone(&flight.down.worker),
            request: shadow(&flight.request, mirror, &upstream),
            upstream,
            body: bytes,
        };
        let limit = forward.timeout.unwrap_or(LIMIT);
        tokio::task::spawn_local(async move {
            let status = match timeout(limit, copy.send()).await {
                Ok(Ok(response)) => response.status,
                Ok(Err(failure)) => failure.status(),
                Err(_) => Failure::Timeout.status(),
            };
            copy.upstream.stats.finished(status, Flags::NONE, 1);
        });
    }
}

/// The request as the mirror gets it; what proxies tell each other never leaves the mesh.
fn shadow(request: &Request, mirror: &Mirror, upstream: &Upstream) -> Request {
    let mut copy = request.clone();
    copy.connection.expect_continue = false;
    if upstream.config.service.is_none() {
        super::peer::withhold(&mut copy.fields);
    }
    if mirror.host_suffix {
        copy.authority = suffixed(&copy.authority);
    }
    copy
}

/// `a.test:80` becomes `a.test-shadow:80`.
fn suffixed(authority: &str) -> String {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => format!("{host}-shadow:{port}"),
        Some(_) | None => format!("{authority}-shadow"),
    }
}

/// One copy on its way.
struct Copy {
    worker: Rc<Worker>,
    upstream: Rc<Upstream>,
    request: Request,
    body: Bytes,
}

impl Copy {
    async fn send(&self) -> Result<Response, Failure> {
        let upstream = &self.upstream;
        let _permit = upstream.request_permit().ok_or(Failure::Overflow)?;
        upstream.ready().await;
        let host = upstream
            .choose(&Pick::default())
            .map_err(|_| Failure::NoHost)?;
        let _in_flight = host.begin();
        let wanted = Wanted {
            worker: &self.worker,
            upstream,
            host: &host,
            request: &self.request,
        };
        let sent = async {
            let (mut connection, _) = connect(wanted, false).await?;
            let response = self.converse(&mut connection).await;
            Ok((connection, response.map_err(Failure::Broken)?))
        };
        let sent = sent.await.inspect_err(|failure: &Failure| {
            if let Some(outcome) = failure.outcome() {
                host.report(outcome);
            }
        });
        let (connection, response) = sent?;
        host.report(Outcome::Status(status_for_health(&response)));
        host.pool.give(connection, &upstream.config);
        Ok(response)
    }

    /// Sends the copy and reads its answer to the end.
    async fn converse(&self, connection: &mut Connection) -> Result<Response, Broken> {
        let (mut to, mut answer) = connection.begin(&self.request)?;
        let mut body = Body::new(Incoming::Memory(self.body.clone()));
        match pump(&mut body, &mut to).await {
            Ok(()) => {}
            Err(Failed::Sink(broken) | Failed::Source(broken)) => return Err(broken),
        }
        let mut response = answer.head().await?;
        while response.is_interim() {
            response = answer.head().await?;
        }
        let mut from = Body::new(answer.body(&response));
        while from.piece().await? == Piece::Data {
            from.consume(from.data().len());
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shadow_has_its_own_host() {
        for (authority, expected) in [
            ("a.test", "a.test-shadow"),
            ("a.test:80", "a.test-shadow:80"),
            ("[::1]", "[::1]-shadow"),
        ] {
            assert_eq!(suffixed(authority), expected);
        }
    }
}
