//! When a watch that broke is tried again.

use kube::runtime::utils::Backoff;
use kube::runtime::watcher::DefaultBackoff;
use std::time::Duration;

/// While the API server is away, traffic may go to endpoints that are gone; what changed must be known soon after.
const LONGEST: Duration = Duration::from_secs(4);

/// The client's usual waits, ever longer and with jitter, but none longer than [`LONGEST`].
#[derive(Default)]
pub(super) struct Retries(DefaultBackoff);

impl Iterator for Retries {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|wait| wait.min(LONGEST))
    }
}

impl Backoff for Retries {
    fn reset(&mut self) {
        self.0.reset();
    }
}
