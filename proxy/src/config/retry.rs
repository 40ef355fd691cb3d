//! When a request is tried again.

use std::time::Duration;

/// Envoy `RetryPolicy`.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Conditions.
    pub on: RetryOn,
    /// Retries after the first try.
    pub attempts: u32,
    /// Limit for one try.
    pub per_try_timeout: Option<Duration>,
    /// Statuses for `retriable-status-codes`.
    pub status_codes: Vec<u16>,
    /// Base of the exponential back-off, default 25 ms.
    pub base_interval: Duration,
    /// Ceiling of the back-off, default 10 × base.
    pub max_interval: Duration,
    /// How often another host is chosen when one was tried already, default 1.
    pub host_selection_attempts: u32,
    /// Leave the priorities that were tried after each so many tries (Envoy
    /// `previous_priorities`).
    pub leave_priorities_after: Option<u32>,
    /// Avoid hosts that were tried.
    pub avoid_previous_hosts: bool,
}

impl Retry {
    /// Envoy's defaults: one retry where these conditions ask for it.
    pub fn new(on: RetryOn) -> Self {
        Self {
            on,
            attempts: 1,
            per_try_timeout: None,
            status_codes: Vec::new(),
            base_interval: Duration::from_millis(25),
            max_interval: Duration::from_millis(250),
            host_selection_attempts: 1,
            leave_priorities_after: None,
            avoid_previous_hosts: false,
        }
    }
}

/// Envoy `retry_on` as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a set of independent conditions, as in Envoy"
)]
pub struct RetryOn {
    /// `5xx`.
    pub server_error: bool,
    /// `gateway-error`: 502, 503, 504.
    pub gateway_error: bool,
    /// `reset`.
    pub reset: bool,
    /// `reset-before-request`.
    pub reset_before_request: bool,
    /// `connect-failure`.
    pub connect_failure: bool,
    /// `refused-stream`.
    pub refused_stream: bool,
    /// `retriable-4xx`: 409.
    pub retriable_4xx: bool,
    /// `retriable-status-codes`.
    pub status_codes: bool,
    /// gRPC `cancelled`.
    pub grpc_cancelled: bool,
    /// gRPC `deadline-exceeded`.
    pub grpc_deadline_exceeded: bool,
    /// gRPC `internal`.
    pub grpc_internal: bool,
    /// gRPC `resource-exhausted`.
    pub grpc_resource_exhausted: bool,
    /// gRPC `unavailable`.
    pub grpc_unavailable: bool,
}

impl RetryOn {
    /// Reads a list such as `5xx,reset` (`retry_on`, `x-envoy-retry-on`, `x-envoy-retry-grpc-on`); unknown words are passed over, as Envoy does.
    pub fn parse(text: &str) -> Self {
        let mut on = Self::default();
        on.add(text);
        on
    }

    /// Adds the conditions of a list.
    pub fn add(&mut self, text: &str) {
        for word in text.split(',').map(str::trim) {
            match word {
                "5xx" => self.server_error = true,
                "gateway-error" => self.gateway_error = true,
                "reset" => self.reset = true,
                "reset-before-request" => self.reset_before_request = true,
                "connect-failure" => self.connect_failure = true,
                "refused-stream" => self.refused_stream = true,
                "retriable-4xx" => self.retriable_4xx = true,
                "retriable-status-codes" => self.status_codes = true,
                "cancelled" => self.grpc_cancelled = true,
                "deadline-exceeded" => self.grpc_deadline_exceeded = true,
                "internal" => self.grpc_internal = true,
                "resource-exhausted" => self.grpc_resource_exhausted = true,
                "unavailable" => self.grpc_unavailable = true,
                _ => {}
            }
        }
    }
}
