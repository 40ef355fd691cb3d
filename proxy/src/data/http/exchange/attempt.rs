//! One try: send the request to one host, and its answer to the client.

use super::connect::{Wanted, connect};
use super::repeat::Repeat;
use super::{Flight, respond, tunnel};
use crate::data::choose::{Host, Outcome, Upstream};
use crate::data::http::body::{Body, Broken, Failed, Outgoing, pump};
use crate::data::http::failure::Failure;
use crate::data::http::head::{Length, Response};
use crate::data::http::limits::{Limits, Reached, Timer};
use crate::data::http::pool::{Answer, Connection};
use crate::data::http::retry::Tries;
use crate::data::report::Flag;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

/// The upstream closed its connection before it answered.
pub(super) const CLOSED: Failure = Failure::Broken(Broken::Closed);

/// How a try ended.
#[derive(Debug)]
pub(super) enum Tried {
    /// The client has the answer.
    Answered {
        /// The whole answer.
        complete: bool,
        /// The connection can carry another request.
        reusable: bool,
    },
    /// The upstream answered, and another try is wanted and possible.
    Refused,
    /// A connection that was used before had been closed, and repeating does no harm.
    Stale,
    /// No answer; and whether the upstream may have seen anything of the request.
    Failed(Failure, bool),
    /// The client went away, or sent what is not HTTP.
    Client(Broken),
}

/// How far the request has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upload {
    Going,
    Done(Instant),
    Broken,
}

/// Tries `host` once.
pub(super) async fn attempt(
    flight: &mut Flight<'_>,
    body: &mut Body<'_>,
    host: &Rc<Host>,
    tries: &Tries<'_>,
    repeat: &Repeat<'_>,
) -> Tried {
    let _in_flight = host.begin();
    flight.record.host = Some(Rc::clone(host));
    let acquired = acquire(flight, repeat.upstream, host, tries.fresh).await;
    let (mut connection, reused) = match acquired {
        Ok(found) => found,
        Err(failure) => return failed(flight, host, failure, false),
    };
    flight.record.ends = Some(Rc::clone(connection.ends()));
    match converse(flight, body, &mut connection, tries, repeat).await {
        Tried::Failed(failure, _) if reused && is_stale(flight, &failure, &connection) => {
            Tried::Stale
        }
        Tried::Failed(failure, _) => failed(flight, host, failure, connection.has_sent()),
        Tried::Answered { complete, reusable } => {
            if reusable {
                host.pool.give(connection, &repeat.upstream.config);
            }
            Tried::Answered { complete, reusable }
        }
        other @ (Tried::Refused | Tried::Stale | Tried::Client(_)) => other,
    }
}

/// Whether a connection that was used before had ended without anything to do with the request,
/// as far as it can matter: a peer that had it may have acted on it before it closed, so only a
/// request that may be repeated, or that never left, is sent again (RFC 9110 §9.2.2).
fn is_stale(flight: &Flight<'_>, failure: &Failure, connection: &Connection) -> bool {
    let harmless = flight.request.method.is_idempotent() || !connection.has_sent();
    match failure {
        Failure::Broken(Broken::Unprocessed) => true,
        Failure::Broken(Broken::Closed) => harmless && !connection.has_answered(),
        Failure::Broken(Broken::Reset(_) | Broken::Protocol(_))
        | Failure::NoHost
        | Failure::Overflow
        | Failure::Connect(_)
        | Failure::ConnectTimeout(_)
        | Failure::Timeout
        | Failure::Deadline
        | Failure::PerTryTimeout
        | Failure::Idle { .. }
        | Failure::SlowRequest => false,
    }
}

fn failed(flight: &mut Flight<'_>, host: &Host, failure: Failure, sent: bool) -> Tried {
    if let Some(outcome) = failure.outcome() {
        host.report(outcome);
    }
    if let Failure::Connect(text) | Failure::ConnectTimeout(text) = &failure {
        flight.record.failure.clone_from(text);
    }
    Tried::Failed(failure, sent)
}

async fn acquire(
    flight: &mut Flight<'_>,
    upstream: &Upstream,
    host: &Host,
    fresh: bool,
) -> Result<(Connection, bool), Failure> {
    let Flight {
        down,
        request,
        limits,
        ..
    } = flight;
    if request.length == Length::Empty {
        limits.whole.start();
        limits.one_try.start();
    }
    let wanted = Wanted {
        worker: &down.worker,
        upstream,
        host,
        request,
    };
    let mut connecting = pin!(connect(wanted, fresh));
    poll_fn(|cx| match connecting.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(result),
        Poll::Pending => limits
            .poll(cx)
            .map(|reached| Err(timeout(reached, Upload::Going))),
    })
    .await
}

fn timeout(reached: Reached, upload: Upload) -> Failure {
    match reached {
        Reached::Whole => Failure::Timeout,
        Reached::Try => Failure::PerTryTimeout,
        Reached::Deadline => Failure::Deadline,
        Reached::Idle => Failure::Idle {
            uploading: upload == Upload::Going,
        },
        Reached::Request => Failure::SlowRequest,
    }
}

/// What followed from the head of the answer.
enum Met<'c> {
    Ended(Tried),
    Upgraded(Response, Answer<'c>),
}

/// Sends the request and relays the answer.
async fn converse(
    flight: &mut Flight<'_>,
    body: &mut Body<'_>,
    connection: &mut Connection,
    tries: &Tries<'_>,
    repeat: &Repeat<'_>,
) -> Tried {
    if flight.request.connection.expect_continue && matches!(connection, Connection::H2(_)) {
        // HTTP/2 needs no leave to send; the client gets it from us.
        flight.request.connection.expect_continue = false;
        if flight.reply.interim(&Response::new(100)).await.is_err() {
            return Tried::Client(Broken::Closed);
        }
    }
    let (mut to, mut answer) = match connection.begin(&flight.request) {
        Ok(begun) => begun,
        Err(broken) => return Tried::Failed(Failure::Broken(broken), false),
    };
    let mut limits = std::mem::take(&mut flight.limits);
    let progress = Cell::new(Upload::Going);
    let met = {
        let mut upload = pin!(upload(body, &mut to, &progress));
        let mut beside = Beside {
            upload: upload.as_mut(),
            progress: &progress,
            limits: &mut limits,
        };
        match head(flight, &mut answer, &mut beside).await {
            Err(tried) => Met::Ended(tried),
            Ok(response) if is_given_up(flight, &response, tries, repeat) => {
                Met::Ended(Tried::Refused)
            }
            Ok(response) if response.status == 101 => Met::Upgraded(response, answer),
            Ok(response) => Met::Ended(relay(flight, response, answer, &mut beside).await),
        }
    };
    flight.limits = limits;
    if let Upload::Done(at) = progress.get() {
        flight.record.request_ended = Some(at.duration_since(flight.record.started));
    }
    match met {
        Met::Ended(tried) => tried,
        Met::Upgraded(response, answer) => {
            let from = answer.body(&response);
            tunnel::run(flight, body, to, (response, from)).await
        }
    }
}

/// Whether another try is made instead of giving the client this answer.
fn is_given_up(
    flight: &mut Flight<'_>,
    response: &Response,
    tries: &Tries<'_>,
    repeat: &Repeat<'_>,
) -> bool {
    if tries.used_up_by(response) {
        flight.record.flags.add(Flag::UpstreamRetryLimitExceeded);
    }
    tries.wants_after(response) && repeat.is_possible()
}

/// Waits for the final head; interim ones go to the client.
async fn head<U: Future<Output = Broken>>(
    flight: &mut Flight<'_>,
    answer: &mut Answer<'_>,
    beside: &mut Beside<'_, U>,
) -> Result<Response, Tried> {
    loop {
        let response = match beside.run(answer.head()).await {
            Ok(Ok(response)) => response,
            Ok(Err(broken)) => return Err(Tried::Failed(Failure::Broken(broken), true)),
            Err(Stopped::Client(broken)) => return Err(Tried::Client(broken)),
            Err(Stopped::Limit(reached)) => {
                let failure = timeout(reached, beside.progress.get());
                return Err(Tried::Failed(failure, true));
            }
        };
        if !response.is_interim() {
            let record = &mut flight.record;
            record.response_began = Some(record.started.elapsed());
            if let Some(host) = &record.host {
                host.report(Outcome::Status(respond::status_for_health(&response)));
            }
            return Ok(response);
        }
        if flight.reply.interim(&response).await.is_err() {
            return Err(Tried::Client(Broken::Closed));
        }
    }
}

/// Gives the answer to the client.
async fn relay<U: Future<Output = Broken>>(
    flight: &mut Flight<'_>,
    mut response: Response,
    answer: Answer<'_>,
    beside: &mut Beside<'_, U>,
) -> Tried {
    let mut from = Body::new(answer.body(&response));
    beside.limits.one_try = Timer::default();
    beside.limits.request = Timer::default();
    if response.length == Length::UntilClose {
        response.length = Length::Unknown;
    }
    flight.record.details = "via_upstream".into();
    respond::from_upstream(flight, &mut response);
    let Ok(mut to) = respond::head(flight, response) else {
        return Tried::Client(Broken::Closed);
    };
    let ended = beside.run(pump(&mut from, &mut to)).await;
    flight.record.response_bytes = from.bytes();
    respond::note_trailers(flight, from.trailers());
    let complete = match ended {
        Ok(Ok(())) => true,
        Ok(Err(Failed::Source(broken))) => {
            let failure = Failure::Broken(broken);
            flight.record.flags.add(failure.flag());
            flight.record.details = failure.late_details();
            // What did come is the client's; it may still wait in front of the next piece.
            let _ = beside.run(to.flush()).await;
            to.abort();
            false
        }
        Err(Stopped::Limit(reached)) => {
            let failure = timeout(reached, beside.progress.get());
            flight.record.flags.add(failure.flag());
            flight.record.details = failure.details();
            to.abort();
            false
        }
        Ok(Err(Failed::Sink(broken))) | Err(Stopped::Client(broken)) => {
            return Tried::Client(broken);
        }
    };
    Tried::Answered {
        complete,
        reusable: complete && matches!(beside.progress.get(), Upload::Done(_)),
    }
}

/// Sends the request, then watches whether the client still waits.
async fn upload(body: &mut Body<'_>, to: &mut Outgoing<'_>, progress: &Cell<Upload>) -> Broken {
    match pump(body, to).await {
        Ok(()) => progress.set(Upload::Done(Instant::now())),
        // The upstream may have answered before it stopped reading.
        Err(Failed::Sink(_)) => progress.set(Upload::Broken),
        Err(Failed::Source(broken)) => return broken,
    }
    poll_fn(|cx| body.poll_gone(cx)).await;
    Broken::Closed
}

/// Why something did not come to its end beside the upload.
enum Stopped {
    Client(Broken),
    Limit(Reached),
}

/// The upload, which goes on while the answer is waited for, and the limits of both.
struct Beside<'s, U> {
    upload: Pin<&'s mut U>,
    progress: &'s Cell<Upload>,
    limits: &'s mut Limits,
}

impl<U: Future<Output = Broken>> Beside<'_, U> {
    async fn run<T>(&mut self, flow: impl Future<Output = T>) -> Result<T, Stopped> {
        let mut flow = pin!(flow);
        poll_fn(|cx| {
            if let Poll::Ready(broken) = self.upload.as_mut().poll(cx) {
                return Poll::Ready(Err(Stopped::Client(broken)));
            }
            if let Poll::Ready(output) = flow.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            if self.progress.get() != Upload::Going {
                self.limits.whole.start();
                self.limits.one_try.start();
                self.limits.request = Timer::default();
            }
            let reached = self.limits.poll(cx);
            reached.map(|reached| Err(Stopped::Limit(reached)))
        })
        .await
    }
}
