//! When a connection without a request ends.

use crate::data::http::downstream::Downstream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// A connection between two requests: ends when it should drain, or has been idle for too long.
///
/// The timer is set anew only when it fires, not for each request.
pub(super) struct Idle<'a> {
    begun: Pin<Box<dyn Future<Output = ()> + 'a>>,
    limit: Option<(Duration, Pin<Box<Sleep>>)>,
    since: Instant,
}

impl<'a> Idle<'a> {
    /// An idle connection.
    pub(super) fn new(down: &'a Downstream) -> Self {
        let limit = down
            .hcm
            .idle_timeout
            .map(|limit| (limit, Box::pin(sleep(limit))));
        Self {
            begun: Box::pin(down.ending()),
            limit,
            since: Instant::now(),
        }
    }

    /// Says that a request has just ended.
    pub(super) fn touch(&mut self) {
        if self.limit.is_some() {
            self.since = Instant::now();
        }
    }

    /// Ready when the connection should end.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.begun.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        while let Some((limit, sleep)) = &mut self.limit {
            ready!(sleep.as_mut().poll(cx));
            let end = self.since + *limit;
            if Instant::now() >= end {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(end);
        }
        Poll::Pending
    }
}
