//! The injection fuse: what the API server does with new pods while no injector answers. Pure.
//!
//! At first such pods are refused, so that none runs outside the mesh unseen. An outage that lasts
//! blows the fuse: pods start without sidecars, and the time of it is remembered. Once an injector
//! answers, pods are refused without it again, and those of that time are replaced. All of the state
//! is in the MeshOperator's status, so that another replica goes on with it.

pub mod missed;
#[cfg(test)]
mod tests;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::time::Duration;
use time::OffsetDateTime;
use weft_api::operator::{FailurePolicy, Injection, InjectionStatus, OnOutage};

/// How long pods are refused where `injection.outageThreshold` is absent.
const THRESHOLD: Duration = Duration::from_secs(20);
/// How long API servers may go by the old webhook configuration.
const LAG: Duration = Duration::from_secs(10);

/// What is remembered between two looks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Fuse {
    /// Since when no injector answers.
    pub outage: Option<OffsetDateTime>,
    /// When pods could start without a sidecar.
    pub window: Option<Window>,
}

/// A time in which pods could start without a sidecar.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    /// Its start.
    pub from: OffsetDateTime,
    /// Its end; `None` while it lasts.
    pub until: Option<OffsetDateTime>,
}

/// What the user wants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rule {
    /// Whether pods may start without a sidecar at all.
    pub admits: bool,
    /// Length of an outage until they may.
    pub threshold: Duration,
}

/// What one look found.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// When.
    pub now: OffsetDateTime,
    /// Whether an injector answers, or nobody asks one.
    pub answers: bool,
    /// Pods that still have no sidecar.
    pub missed: usize,
}

impl Rule {
    /// What `injection` asks for.
    pub fn of(injection: &Injection) -> Self {
        let threshold = injection.outage_threshold.as_ref();
        match (injection.failure_policy, injection.on_outage) {
            // The API server admits at once, whatever the operator does.
            (Some(FailurePolicy::Ignore), _) => Self {
                admits: true,
                threshold: Duration::ZERO,
            },
            (Some(FailurePolicy::Fail) | None, on_outage) => Self {
                admits: on_outage != Some(OnOutage::Block),
                threshold: threshold.map_or(THRESHOLD, |threshold| threshold.length()),
            },
        }
    }
}

impl Fuse {
    /// What `status` remembers.
    pub fn read(status: Option<&InjectionStatus>) -> Self {
        let time = |time: &Option<Time>| {
            let seconds = time.as_ref()?.0.as_second();
            OffsetDateTime::from_unix_timestamp(seconds).ok()
        };
        let window = |status: &InjectionStatus| {
            Some(Window {
                from: time(&status.admitted_since)?,
                until: time(&status.admitted_until),
            })
        };
        status.map_or_else(Self::default, |status| Self {
            outage: time(&status.outage_since),
            window: window(status),
        })
    }

    /// The fuse after one more look.
    pub fn step(self, rule: Rule, look: Look) -> Self {
        let outage = (!look.answers).then(|| self.outage.unwrap_or(look.now));
        let lasts = outage.is_some_and(|since| look.now - since >= rule.threshold);
        let window = match self.window {
            // Nobody knows when exactly API servers began to admit; before the outage they did not.
            None if rule.admits && lasts => outage.map(|from| Window { from, until: None }),
            None => None,
            Some(window) => window.step(rule.admits && lasts, look),
        };
        Self { outage, window }
    }

    /// Whether pods start without a sidecar now.
    pub fn blown(self) -> bool {
        self.window.is_some_and(|window| window.until.is_none())
    }

    /// Whether pods that missed their sidecar can be replaced now.
    pub fn mends(self) -> bool {
        self.outage.is_none() && self.window.is_some_and(|window| window.until.is_some())
    }
}

impl Window {
    /// The window after one more look; `None` once nothing is left to be replaced.
    fn step(self, open: bool, look: Look) -> Option<Self> {
        let Self { from, until } = self;
        let ended = match until {
            _ if open => return Some(Self { from, until: None }),
            None => look.now,
            Some(ended) => ended,
        };
        let late = look.now > ended + LAG;
        let done = look.answers && look.missed == 0 && late;
        (!done).then_some(Self {
            from,
            until: Some(ended),
        })
    }

    /// Whether a pod of this age can have missed its sidecar. Kubernetes keeps times to the second.
    pub fn contains(self, created: OffsetDateTime) -> bool {
        let end = self.until.map(|until| until + LAG);
        created >= self.from && end.is_none_or(|end| created <= end)
    }
}
