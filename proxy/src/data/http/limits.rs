//! How long a request may take.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// A limit that begins to count when it is started. Without a length it never ends.
#[derive(Debug, Default)]
pub struct Timer {
    length: Option<Duration>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// A timer that has not been started.
    pub fn new(length: Option<Duration>) -> Self {
        Self {
            length,
            sleep: None,
        }
    }

    /// Starts it, unless it runs already.
    pub fn start(&mut self) {
        if let (None, Some(length)) = (&self.sleep, self.length) {
            self.sleep = Some(Box::pin(sleep(length)));
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sleep
            .as_mut()
            .map_or(Poll::Pending, |sleep| sleep.as_mut().poll(cx))
    }
}

/// A limit on how long nothing may move.
///
/// The timer is set anew only when it fires, not whenever something moves.
#[derive(Debug, Default)]
pub struct IdleTimer {
    length: Option<Duration>,
    since: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl IdleTimer {
    /// A timer that starts when it is polled first.
    pub fn new(length: Option<Duration>) -> Self {
        Self {
            length,
            ..Self::default()
        }
    }

    /// To be polled whenever something has moved. Ready when nothing has for too long.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(length) = self.length else {
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(length)));
        if sleep.as_mut().poll(cx).is_pending() {
            self.since = Some(Instant::now());
            return Poll::Pending;
        }
        let end = self.since.map(|since| since + length);
        match end.filter(|end| *end > Instant::now()) {
            Some(end) => {
                sleep.as_mut().reset(end);
                sleep.as_mut().poll(cx)
            }
            None => Poll::Ready(()),
        }
    }
}

/// Which limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The route's `timeout`.
    Whole,
    /// The retry policy's `per_try_timeout`.
    Try,
    /// The time that the client gave by `grpc-timeout`.
    Deadline,
    /// Nothing moved for too long.
    Idle,
    /// The manager's `request_timeout`.
    Request,
}

/// All limits of one request.
#[derive(Debug, Default)]
pub struct Limits {
    /// From the end of the request to the end of the response.
    pub whole: Timer,
    /// What the client gave by `grpc-timeout`, from the head of the request.
    pub deadline: Timer,
    /// The same for one try, to the head of the response.
    pub one_try: Timer,
    /// Between two pieces.
    pub idle: IdleTimer,
    /// From the head of the request to its end, or to the response.
    pub request: Timer,
}

impl Limits {
    /// Ready when one is reached.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reached> {
        if self.whole.poll(cx).is_ready() {
            return Poll::Ready(Reached::Whole);
        }
        if self.deadline.poll(cx).is_ready() {
            return Poll::Ready(Reached::Deadline);
        }
        if self.one_try.poll(cx).is_ready() {
            return Poll::Ready(Reached::Try);
        }
        if self.request.poll(cx).is_ready() {
            return Poll::Ready(Reached::Request);
        }
        self.idle.poll(cx).map(|()| Reached::Idle)
    }
}
