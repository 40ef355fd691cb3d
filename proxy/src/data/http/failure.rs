//! Why a request got no answer from an upstream, and what the client is told.
//!
//! Texts, flags and details are Envoy's: people and dashboards know them.

use super::body::Broken;
use crate::data::choose::Outcome;
use crate::data::report::Flag;
use std::borrow::Cow;

/// Why a try gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No host can be used.
    NoHost,
    /// A circuit breaker is open.
    Overflow,
    /// No connection.
    Connect(String),
    /// No connection in time.
    ConnectTimeout(String),
    /// The connection ended before the answer's head.
    Broken(Broken),
    /// No answer in time.
    Timeout,
    /// The time that the client of gRPC gave is over.
    Deadline,
    /// No answer to one try in time.
    PerTryTimeout,
    /// Nothing moved for too long.
    Idle {
        /// Whether it was the client that should have sent something.
        uploading: bool,
    },
    /// The client did not send its whole request in time.
    SlowRequest,
}

impl Failure {
    /// Envoy's flag.
    pub fn flag(&self) -> Flag {
        match self {
            Self::NoHost => Flag::NoHealthyUpstream,
            Self::Overflow => Flag::UpstreamOverflow,
            Self::Connect(_) | Self::ConnectTimeout(_) => Flag::UpstreamConnectionFailure,
            Self::Broken(Broken::Closed) => Flag::UpstreamConnectionTermination,
            Self::Broken(Broken::Reset(_) | Broken::Unprocessed) => Flag::UpstreamRemoteReset,
            Self::Broken(Broken::Protocol(_)) => Flag::UpstreamProtocolError,
            Self::Timeout | Self::PerTryTimeout => Flag::UpstreamRequestTimeout,
            Self::Idle { .. } => Flag::StreamIdleTimeout,
            Self::SlowRequest | Self::Deadline => Flag::DurationTimeout,
        }
    }

    /// The status that the client gets.
    pub fn status(&self) -> u16 {
        match self {
            Self::Idle { uploading: true } | Self::SlowRequest => 408,
            Self::Timeout
            | Self::Deadline
            | Self::PerTryTimeout
            | Self::Idle { uploading: false } => 504,
            Self::Broken(Broken::Protocol(_)) => 502,
            Self::NoHost
            | Self::Overflow
            | Self::Connect(_)
            | Self::ConnectTimeout(_)
            | Self::Broken(Broken::Closed | Broken::Reset(_) | Broken::Unprocessed) => 503,
        }
    }

    /// Envoy's words for what happened to the stream.
    fn reason(&self) -> &'static str {
        match self {
            Self::NoHost
            | Self::Timeout
            | Self::Deadline
            | Self::PerTryTimeout
            | Self::Idle { .. }
            | Self::SlowRequest => "local reset",
            Self::Overflow => "overflow",
            Self::Connect(_) => "remote connection failure",
            Self::ConnectTimeout(_) => "connection timeout",
            Self::Broken(Broken::Closed) => "connection termination",
            Self::Broken(Broken::Reset(_)) => "remote reset",
            Self::Broken(Broken::Unprocessed) => "remote refused stream reset",
            Self::Broken(Broken::Protocol(_)) => "protocol error",
        }
    }

    /// The text that the client gets; `retried` says that it was not the first try.
    pub fn body(&self, retried: bool) -> Cow<'static, str> {
        let before = if retried {
            "retried and the latest reset reason"
        } else {
            "reset reason"
        };
        let intro = "upstream connect error or disconnect/reset before headers.";
        match self {
            Self::NoHost => "no healthy upstream".into(),
            Self::Timeout | Self::PerTryTimeout => "upstream request timeout".into(),
            Self::Idle { .. } => "stream timeout".into(),
            Self::SlowRequest => "request timeout".into(),
            Self::Deadline => "downstream duration timeout".into(),
            // Why a connection failed is for the log: it would tell strangers of our network.
            Self::Overflow | Self::Connect(_) | Self::ConnectTimeout(_) | Self::Broken(_) => {
                format!("{intro} {before}: {}", self.reason()).into()
            }
        }
    }

    /// Envoy `RESPONSE_CODE_DETAILS`.
    pub fn details(&self) -> Cow<'static, str> {
        match self {
            Self::NoHost => "no_healthy_upstream".into(),
            Self::Timeout => "response_timeout".into(),
            Self::PerTryTimeout => "upstream_per_try_timeout".into(),
            Self::Idle { .. } => "stream_idle_timeout".into(),
            Self::SlowRequest => "request_overall_timeout".into(),
            Self::Deadline => "max_duration_timeout".into(),
            Self::Connect(text) | Self::ConnectTimeout(text) => {
                let reason = format!("{}|{text}", self.reason()).replace(' ', "_");
                format!("upstream_reset_before_response_started{{{reason}}}").into()
            }
            Self::Overflow | Self::Broken(_) => {
                let reason = self.reason().replace(' ', "_");
                format!("upstream_reset_before_response_started{{{reason}}}").into()
            }
        }
    }

    /// The same for an answer that broke off.
    pub fn late_details(&self) -> Cow<'static, str> {
        let reason = self.reason().replace(' ', "_");
        format!("upstream_reset_after_response_started{{{reason}}}").into()
    }

    /// What outlier detection hears; nothing when no host was to blame.
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::NoHost | Self::Overflow | Self::Idle { uploading: true } | Self::SlowRequest => {
                None
            }
            Self::Connect(_) | Self::ConnectTimeout(_) => Some(Outcome::ConnectFailed),
            Self::Broken(_) => Some(Outcome::Reset),
            Self::Timeout
            | Self::Deadline
            | Self::PerTryTimeout
            | Self::Idle { uploading: false } => Some(Outcome::Timeout),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_read_what_envoy_would_say() {
        let closed = Failure::Broken(Broken::Closed);
        assert_eq!(
            closed.body(false),
            "upstream connect error or disconnect/reset before headers. reset reason: connection termination"
        );
        assert_eq!(
            closed.details(),
            "upstream_reset_before_response_started{connection_termination}"
        );
        assert_eq!(Failure::NoHost.body(false), "no healthy upstream");
        assert_eq!((Failure::Timeout.status(), closed.status()), (504, 503));
    }
}
