//! Forwarding: a cluster, then tries until one has answered.

use super::attempt::{self, Tried};
use super::repeat::Repeat;
use super::{Flight, hash, mirror, request, respond};
use crate::config::Forward;
use crate::data::choose::{Pick, Upstream};
use crate::data::http::body::{Body, Broken};
use crate::data::http::failure::Failure;
use crate::data::http::limits::{IdleTimer, Timer};
use crate::data::http::local::Local;
use crate::data::http::retry::{self, Tries};
use crate::data::http::route::{self, Matched};
use crate::data::report::Flag;
use rand::Rng;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::sleep;

/// Forwards the request; says whether the client got a whole answer.
pub(super) async fn forward(
    flight: &mut Flight<'_>,
    body: &mut Body<'_>,
    matched: &Matched,
    forward: &Forward,
) -> bool {
    if !upgrade_is_allowed(flight, forward) {
        return respond::local(flight, Local::new(403, "", "upgrade_failed")).await;
    }
    let share = route::share(&forward.clusters, rand::rng().random());
    let upstreams = &flight.down.worker.upstreams;
    let found = share.and_then(|share| Some((share, upstreams.get(&share.name)?)));
    let Some((share, upstream)) = found else {
        return respond::local(flight, Local::no_cluster(forward.no_cluster_status)).await;
    };
    flight.record.cluster = Some(Arc::clone(&upstream.config));
    flight.record.upstream = Some(Rc::clone(&upstream));
    let whole = request::timeout(flight, forward);
    flight.limits.whole = Timer::new(whole);
    let deadline = request::deadline(flight, forward);
    flight.limits.deadline = Timer::new(deadline);
    flight.limits.deadline.start();
    let idle = forward.idle_timeout.or(flight.down.hcm.stream_idle_timeout);
    flight.limits.idle = IdleTimer::new(idle.filter(|limit| !limit.is_zero()));
    let asked = retry::asked_for(&mut flight.request, forward.retry.as_ref());
    let hash = hash::of(flight, forward);
    request::prepare(flight, matched, forward, share);
    super::peer::announce(flight, &upstream.config);
    flight.share = Some(Arc::clone(share));
    let mut tries = Tries::new(asked.as_ref().or(forward.retry.as_ref()));
    let told = whole.filter(|_| deadline.is_none());
    request::announce_limit(flight, told, tries.per_try_timeout());
    let ended = all_tries(flight, body, &upstream, &mut tries, hash).await;
    let complete = conclude(flight, ended, &tries).await;
    if !forward.mirrors.is_empty() {
        mirror::send(flight, forward, body);
    }
    complete
}

/// How all tries together ended.
enum Ended {
    Answered(bool),
    Failed(Failure),
    Client(Broken),
}

async fn conclude(flight: &mut Flight<'_>, ended: Ended, tries: &Tries<'_>) -> bool {
    match ended {
        Ended::Answered(complete) => complete,
        Ended::Failed(failure) => {
            if tries.used_up() {
                flight.record.flags.add(Flag::UpstreamRetryLimitExceeded);
            }
            respond::local(flight, Local::failure(&failure, tries.made > 1)).await
        }
        Ended::Client(Broken::Protocol(_)) if flight.record.status == 0 => {
            let local = Local::new(400, "Bad Request", "http1.codec_error");
            respond::local(flight, local.flagged(Flag::DownstreamProtocolError)).await;
            false
        }
        Ended::Client(_) => {
            flight
                .record
                .flags
                .add(Flag::DownstreamConnectionTermination);
            flight.record.details = "downstream_remote_disconnect".into();
            false
        }
    }
}

async fn all_tries(
    flight: &mut Flight<'_>,
    body: &mut Body<'_>,
    upstream: &Rc<Upstream>,
    tries: &mut Tries<'_>,
    hash: Option<u64>,
) -> Ended {
    let Some(_permit) = upstream.request_permit() else {
        return Ended::Failed(Failure::Overflow);
    };
    let repeat = Repeat::new(upstream, body.memory());
    upstream.ready().await;
    loop {
        let pick = Pick {
            hash,
            original_dst: flight
                .down
                .conn
                .redirected
                .then_some(flight.down.conn.local),
            tried: tries.avoided(),
            redraws: tries.redraws(),
            leave_priorities_after: tries.leave_priorities_after(),
        };
        let Ok(host) = upstream.choose(&pick) else {
            return Ended::Failed(Failure::NoHost);
        };
        begin_try(flight, tries, host.address());
        let failure = match attempt::attempt(flight, body, &host, tries, &repeat).await {
            Tried::Answered { complete, .. } => return Ended::Answered(complete),
            Tried::Client(broken) => return Ended::Client(broken),
            Tried::Stale if body.rewind() => {
                tries.fresh = true;
                tries.made -= 1;
                continue;
            }
            Tried::Stale => return Ended::Failed(attempt::CLOSED),
            Tried::Refused => attempt::CLOSED,
            Tried::Failed(failure, sent)
                if tries.wants_after_failure(&failure, sent) && repeat.is_possible() =>
            {
                failure
            }
            Tried::Failed(failure, _) => return Ended::Failed(failure),
        };
        if !body.rewind() {
            return Ended::Failed(failure);
        }
        tries.fresh = false;
        sleep(tries.again(rand::rng().random())).await;
    }
}

fn begin_try(flight: &mut Flight<'_>, tries: &mut Tries<'_>, host: SocketAddr) {
    tries.hosts.push(host);
    tries.made += 1;
    flight.record.tries = tries.made;
    flight.limits.one_try = Timer::new(tries.per_try_timeout());
    count_attempt(flight, tries.made);
}

fn count_attempt(flight: &mut Flight<'_>, attempt: u32) {
    if flight
        .matched
        .as_ref()
        .is_some_and(|matched| matched.host.include_attempt_count)
    {
        flight
            .request
            .fields
            .set("x-envoy-attempt-count", attempt.to_string().as_bytes());
    }
}

/// Only upgrades that the manager or the route names go through.
fn upgrade_is_allowed(flight: &Flight<'_>, forward: &Forward) -> bool {
    if !flight.request.connection.upgrade {
        return true;
    }
    let asked = flight.request.fields.text("upgrade").unwrap_or_default();
    let route = forward
        .upgrades
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(asked));
    let manager = || {
        flight
            .down
            .hcm
            .upgrades
            .iter()
            .any(|name| name.eq_ignore_ascii_case(asked))
    };
    route.map_or_else(manager, |(_, allowed)| *allowed)
}
