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

    /// Starts it from the beginning.
    pub fn restart(&mut self) {
        match (&mut self.sleep, self.length) {
            (Some(sleep), Some(length)) => sleep.as_mut().reset(Instant::now() + length),
            _ => self.start(),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sleep
            .as_mut()
            .map_or(Poll::Pending, |sleep| sleep.as_mut().poll(cx))
    }
}

/// Which limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The route's `timeout`.
    Whole,
    /// The retry policy's `per_try_timeout`.
    Try,
    /// Nothing moved for too long.
    Idle,
}

/// All limits of one request.
#[derive(Debug, Default)]
pub struct Limits {
    /// From the end of the request to the end of the response.
    pub whole: Timer,
    /// The same for one try, to the head of the response.
    pub one_try: Timer,
    /// Between two pieces.
    pub idle: Timer,
}

impl Limits {
    /// Ready when one is reached.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reached> {
        if self.whole.poll(cx).is_ready() {
            return Poll::Ready(Reached::Whole);
        }
        if self.one_try.poll(cx).is_ready() {
            return Poll::Ready(Reached::Try);
        }
        self.idle.poll(cx).map(|()| Reached::Idle)
    }
}
