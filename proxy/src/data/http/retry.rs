//! Whether and when a request is tried again. Pure. Source: Envoy `retry_state_impl.cc`.

use super::body::Broken;
use super::failure::Failure;
use super::head::{Request, Response};
use crate::config::{Retry, RetryOn};
use std::net::SocketAddr;
use std::time::Duration;

/// The tries of one request.
#[derive(Debug)]
pub struct Tries<'a> {
    policy: Option<&'a Retry>,
    left: u32,
    /// Tries so far.
    pub made: u32,
    /// Hosts that were tried.
    pub hosts: Vec<SocketAddr>,
    /// The next try needs a connection that nobody used before.
    pub fresh: bool,
}

impl<'a> Tries<'a> {
    /// None made yet.
    pub fn new(policy: Option<&'a Retry>) -> Self {
        let left = policy.map_or(0, |policy| policy.attempts);
        Self {
            policy,
            left,
            made: 0,
            hosts: Vec::new(),
            fresh: false,
        }
    }

    /// Whether another try may follow the present one.
    pub fn any_left(&self) -> bool {
        self.left > 0
    }

    /// Whether tries were made that nobody wants repeated any more.
    pub fn used_up(&self) -> bool {
        self.policy.is_some() && self.left == 0 && self.made > 1
    }

    /// The limit for one try.
    pub fn per_try_timeout(&self) -> Option<Duration> {
        self.policy.and_then(|policy| policy.per_try_timeout)
    }

    /// Hosts to avoid.
    pub fn avoided(&self) -> &[SocketAddr] {
        let avoid = |policy: &Retry| policy.avoid_previous_hosts;
        if self.policy.is_some_and(avoid) {
            &self.hosts
        } else {
            &[]
        }
    }

    /// How often chance may find a host that is not avoided.
    pub fn redraws(&self) -> u32 {
        self.policy
            .map_or(0, |policy| policy.host_selection_attempts)
    }

    /// Envoy `previous_priorities`.
    pub fn leave_priorities_after(&self) -> Option<u32> {
        self.policy?.leave_priorities_after
    }

    /// Whether an answer like this calls for another try.
    pub fn wants_after(&self, response: &Response) -> bool {
        self.policy
            .is_some_and(|policy| self.left > 0 && answer_is_retried(policy, response))
    }

    /// Whether an answer like this called for another try if any were left.
    pub fn used_up_by(&self, response: &Response) -> bool {
        self.policy
            .is_some_and(|policy| self.left == 0 && answer_is_retried(policy, response))
    }

    /// Whether a failure like this calls for another try.
    pub fn wants_after_failure(&self, failure: &Failure, request_sent: bool) -> bool {
        self.policy.is_some_and(|policy| {
            self.left > 0 && failure_is_retried(policy.on, failure, request_sent)
        })
    }

    /// Uses one retry; says how long to wait before it. `random` is in `0.0..1.0`.
    pub fn again(&mut self, random: f64) -> Duration {
        self.left -= 1;
        let Some(policy) = self.policy else {
            return Duration::ZERO;
        };
        let ceiling = policy
            .base_interval
            .saturating_mul((1 << self.made.min(16)) - 1);
        ceiling.min(policy.max_interval).mul_f64(random)
    }
}

fn answer_is_retried(policy: &Retry, response: &Response) -> bool {
    let on = policy.on;
    if let Some(status) = grpc_status(response) {
        return match status {
            1 => on.grpc_cancelled,
            4 => on.grpc_deadline_exceeded,
            8 => on.grpc_resource_exhausted,
            13 => on.grpc_internal,
            14 => on.grpc_unavailable,
            _ => false,
        };
    }
    let status = response.status;
    (on.server_error && status >= 500)
        || (on.gateway_error && matches!(status, 502..=504))
        || (on.retriable_4xx && status == 409)
        || (on.status_codes && policy.status_codes.contains(&status))
}

/// gRPC status of an answer that has only trailers.
fn grpc_status(response: &Response) -> Option<u32> {
    response
        .fields
        .text("grpc-status")
        .and_then(|status| status.parse().ok())
}

fn failure_is_retried(on: RetryOn, failure: &Failure, request_sent: bool) -> bool {
    match failure {
        Failure::NoHost
        | Failure::Overflow
        | Failure::Timeout
        | Failure::Deadline
        | Failure::Idle { .. }
        | Failure::SlowRequest => false,
        Failure::Connect(_) | Failure::ConnectTimeout(_) => {
            on.connect_failure || on.server_error || on.reset || on.gateway_error
        }
        Failure::PerTryTimeout => on.server_error || on.gateway_error || on.reset,
        Failure::Broken(Broken::Unprocessed) => {
            on.refused_stream || on.server_error || on.gateway_error || on.reset
        }
        Failure::Broken(Broken::Closed | Broken::Reset(_) | Broken::Protocol(_)) => {
            on.server_error
                || on.gateway_error
                || on.reset
                || (on.reset_before_request && !request_sent)
        }
    }
}

/// The policy that the headers of an internal client ask for, on top of the route's; `None` when
/// they ask for nothing. They are for us alone.
pub fn asked_for(request: &mut Request, route: Option<&Retry>) -> Option<Retry> {
    let on = take(request, "x-envoy-retry-on");
    let grpc_on = take(request, "x-envoy-retry-grpc-on");
    let most = take(request, "x-envoy-max-retries").and_then(|text| text.parse().ok());
    let codes = take(request, "x-envoy-retriable-status-codes");
    let one_try = take(request, "x-envoy-upstream-rq-per-try-timeout-ms");
    if on.is_none() && grpc_on.is_none() && route.is_none() {
        return None;
    }
    let one_try = one_try.and_then(|text| text.parse().ok());
    if on.is_none() && grpc_on.is_none() && most.is_none() && one_try.is_none() {
        return None;
    }
    let mut policy = route
        .cloned()
        .unwrap_or_else(|| Retry::new(RetryOn::default()));
    for words in [on, grpc_on].into_iter().flatten() {
        policy.on.add(&words);
    }
    policy.attempts = most.unwrap_or(policy.attempts);
    if let Some(codes) = codes {
        let codes = codes
            .split(',')
            .filter_map(|code| code.trim().parse::<u16>().ok());
        policy.status_codes.extend(codes);
    }
    if let Some(milliseconds) = one_try {
        policy.per_try_timeout =
            Some(Duration::from_millis(milliseconds)).filter(|limit| !limit.is_zero());
    }
    Some(policy)
}

fn take(request: &mut Request, name: &str) -> Option<String> {
    let value = request.fields.text(name)?.to_owned();
    request.fields.remove(name);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(on: &str) -> Retry {
        Retry {
            attempts: 2,
            status_codes: vec![418],
            ..Retry::new(RetryOn::parse(on))
        }
    }

    #[test]
    #[rustfmt::skip]
    fn conditions_decide_over_answers() {
        let grpc = |status: &str| Response {
            fields: [("grpc-status", status)].into_iter().collect(),
            ..Response::new(200)
        };
        for (on, response, expected) in [
            ("5xx",                    Response::new(500), true),
            ("gateway-error",          Response::new(500), false),
            ("gateway-error",          Response::new(503), true),
            ("retriable-4xx",          Response::new(409), true),
            ("retriable-status-codes", Response::new(418), true),
            ("5xx",                    Response::new(418), false),
            ("unavailable",            grpc("14"),         true),
            ("5xx",                    grpc("14"),         false),
            ("cancelled",              grpc("1"),          true),
        ] {
            let policy = policy(on);
            assert_eq!(Tries::new(Some(&policy)).wants_after(&response), expected, "{on} {response:?}");
        }
    }

    #[test]
    #[rustfmt::skip]
    fn conditions_decide_over_failures() {
        let closed = Failure::Broken(Broken::Closed);
        for (on, failure, sent, expected) in [
            ("connect-failure",      Failure::Connect(String::new()),          false, true),
            ("connect-failure",      closed.clone(),                           true,  false),
            ("reset",                closed.clone(),                           true,  true),
            ("reset-before-request", closed.clone(),                           true,  false),
            ("reset-before-request", closed,                                   false, true),
            ("refused-stream",       Failure::Broken(Broken::Unprocessed),     true,  true),
            ("5xx",                  Failure::PerTryTimeout,                   true,  true),
            ("5xx",                  Failure::Timeout,                         true,  false),
        ] {
            let policy = policy(on);
            let tries = Tries::new(Some(&policy));
            assert_eq!(tries.wants_after_failure(&failure, sent), expected, "{on} {failure:?}");
        }
    }

    #[test]
    fn waits_grow_up_to_their_ceiling() {
        let policy = Retry {
            attempts: 9,
            ..policy("5xx")
        };
        let mut tries = Tries::new(Some(&policy));
        let mut waits = Vec::new();
        for made in 1..=5 {
            tries.made = made;
            waits.push(tries.again(1.0).as_millis());
        }
        assert_eq!(waits, [25, 75, 175, 250, 250]);
    }
}
