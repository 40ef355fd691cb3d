//! The life of a workload certificate, as a state machine without clock or network.

use crate::cert::Identity;
use std::time::{Duration, SystemTime};

/// First pause after a failed request; doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// Longest pause between requests, so that a control plane that returns is noticed soon.
const LONGEST_RETRY: Duration = Duration::from_secs(15);

/// Where a workload certificate is in its life. The caller brings events and carries out actions.
#[derive(Clone, Debug, PartialEq)]
pub enum Rotation {
    /// Nothing to serve with: the proxy is not ready. `failures` in a row so far.
    Missing {
        /// Requests that failed since the last success.
        failures: u32,
    },
    /// Serving `identity`, with time left on it.
    Fresh {
        /// What is served.
        identity: Identity,
    },
    /// Still serving `identity` while asking for its successor.
    Renewing {
        /// What is served.
        identity: Identity,
        /// Requests that failed since the last success.
        failures: u32,
    },
}

/// What happened. `jitter` is a random number in `[0, 1)`, drawn by the caller.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The CA answered, or a saved identity was found.
    Issued {
        /// The new identity.
        identity: Identity,
        /// The time of the event.
        now: SystemTime,
        /// Spreads renewals.
        jitter: f64,
    },
    /// The time of the last [`Action::WakeAt`] or [`Action::RetryIn`] has come.
    Timer,
    /// The CA refused or was not reached.
    Failed {
        /// Spreads retries.
        jitter: f64,
    },
    /// The served certificate's end has come.
    Expired,
}

/// What the caller must do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Serve with the issued identity and deliver [`Event::Timer`] at this time.
    WakeAt(SystemTime),
    /// Make a key and ask the CA.
    Request,
    /// Deliver [`Event::Timer`] after this pause.
    RetryIn(Duration),
    /// Serve with nothing: refuse connections, and ask the CA again.
    StopServing,
    /// Go on.
    Nothing,
}

impl Rotation {
    /// The start: nothing held, nothing asked.
    pub fn new() -> Self {
        Self::Missing { failures: 0 }
    }

    /// The identity to serve with.
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Missing { .. } => None,
            Self::Fresh { identity } | Self::Renewing { identity, .. } => Some(identity),
        }
    }

    /// The next state, and what to do about it.
    pub fn step(self, event: Event) -> (Self, Action) {
        use Rotation::{Fresh, Missing, Renewing};
        match (self, event) {
            (old, Event::Issued { identity, now, .. }) if identity.leaf().not_after <= now => {
                (old, Action::Nothing)
            }
            (
                _,
                Event::Issued {
                    identity,
                    now,
                    jitter,
                },
            ) => {
                let wake = renew_at(&identity, now, jitter);
                (Fresh { identity }, Action::WakeAt(wake))
            }
            (Missing { failures } | Renewing { failures, .. }, Event::Expired) => {
                (Missing { failures }, Action::StopServing)
            }
            (Fresh { .. }, Event::Expired) => (Missing { failures: 0 }, Action::StopServing),
            (Fresh { identity }, Event::Timer) => (
                Renewing {
                    identity,
                    failures: 0,
                },
                Action::Request,
            ),
            // A late answer to an old request.
            (fresh @ Fresh { .. }, Event::Failed { .. }) => (fresh, Action::Nothing),
            (waiting, Event::Timer) => (waiting, Action::Request),
            (Missing { failures }, Event::Failed { jitter }) => (
                Missing {
                    failures: failures + 1,
                },
                Action::RetryIn(pause(failures, jitter)),
            ),
            (Renewing { identity, failures }, Event::Failed { jitter }) => (
                Renewing {
                    identity,
                    failures: failures + 1,
                },
                Action::RetryIn(pause(failures, jitter)),
            ),
        }
    }
}

impl Default for Rotation {
    fn default() -> Self {
        Self::new()
    }
}

/// Half of what is left, give or take a tenth of it: pods that started together do not renew together.
///
/// Counted from `now` and not from the start of validity, which the CA dates back for clock skew.
fn renew_at(identity: &Identity, now: SystemTime, jitter: f64) -> SystemTime {
    now + identity
        .remaining(now)
        .mul_f64(0.4 + 0.2 * jitter.clamp(0.0, 1.0))
}

/// Between a half and the whole of the doubled pause.
fn pause(failures: u32, jitter: f64) -> Duration {
    let full = FIRST_RETRY
        .saturating_mul(1 << failures.min(8))
        .min(LONGEST_RETRY);
    full.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
}
