//! Why a response is what it is: Envoy's response flags.

use std::fmt;

/// One response flag. Source: Envoy `StreamInfo::CoreResponseFlag` and its short names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Flag {
    /// `LH`: the local service failed its health check.
    FailedLocalHealthCheck,
    /// `UH`: no healthy upstream host.
    NoHealthyUpstream,
    /// `UT`: no answer in time.
    UpstreamRequestTimeout,
    /// `LR`: we reset the connection.
    LocalReset,
    /// `UR`: the upstream reset.
    UpstreamRemoteReset,
    /// `UF`: no connection to the upstream.
    UpstreamConnectionFailure,
    /// `UC`: the upstream closed its connection.
    UpstreamConnectionTermination,
    /// `UO`: circuit breakers.
    UpstreamOverflow,
    /// `NR`: no route or filter chain.
    NoRouteFound,
    /// `DI`: an injected delay.
    DelayInjected,
    /// `FI`: an injected abort.
    FaultInjected,
    /// `RL`: local rate limit.
    RateLimited,
    /// `UAEX`: refused by policy.
    UnauthorizedExternalService,
    /// `DC`: the client went away.
    DownstreamConnectionTermination,
    /// `URX`: retries or connect attempts used up.
    UpstreamRetryLimitExceeded,
    /// `SI`: idle for too long.
    StreamIdleTimeout,
    /// `IH`: a header that is not valid.
    InvalidEnvoyRequestHeaders,
    /// `DPE`: the client broke the protocol.
    DownstreamProtocolError,
    /// `UMSDR`: the longest duration of a stream.
    UpstreamMaxStreamDurationReached,
    /// `NC`: the route names a cluster that does not exist.
    NoClusterFound,
    /// `OM`: overload.
    OverloadManager,
    /// `UPE`: the upstream broke the protocol.
    UpstreamProtocolError,
    /// `DT`: the longest duration of a request or connection.
    DurationTimeout,
}

/// Flags with their short names, in the order in which they are written.
const NAMES: [(Flag, &str); 23] = [
    (Flag::FailedLocalHealthCheck, "LH"),
    (Flag::NoHealthyUpstream, "UH"),
    (Flag::UpstreamRequestTimeout, "UT"),
    (Flag::LocalReset, "LR"),
    (Flag::UpstreamRemoteReset, "UR"),
    (Flag::UpstreamConnectionFailure, "UF"),
    (Flag::UpstreamConnectionTermination, "UC"),
    (Flag::UpstreamOverflow, "UO"),
    (Flag::NoRouteFound, "NR"),
    (Flag::DelayInjected, "DI"),
    (Flag::FaultInjected, "FI"),
    (Flag::RateLimited, "RL"),
    (Flag::UnauthorizedExternalService, "UAEX"),
    (Flag::DownstreamConnectionTermination, "DC"),
    (Flag::UpstreamRetryLimitExceeded, "URX"),
    (Flag::StreamIdleTimeout, "SI"),
    (Flag::InvalidEnvoyRequestHeaders, "IH"),
    (Flag::DownstreamProtocolError, "DPE"),
    (Flag::UpstreamMaxStreamDurationReached, "UMSDR"),
    (Flag::NoClusterFound, "NC"),
    (Flag::OverloadManager, "OM"),
    (Flag::UpstreamProtocolError, "UPE"),
    (Flag::DurationTimeout, "DT"),
];

/// A set of [`Flag`]s; written as `UF,URX`, or `-` when empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(u32);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);

    /// Adds one flag.
    pub fn add(&mut self, flag: Flag) {
        self.0 |= 1 << flag as u8;
    }

    /// Whether `flag` is in the set.
    pub fn has(self, flag: Flag) -> bool {
        self.0 & (1 << flag as u8) != 0
    }

    /// Whether the flag with this short name is in the set.
    pub fn has_named(self, name: &str) -> bool {
        NAMES
            .iter()
            .any(|(flag, short)| *short == name && self.has(*flag))
    }
}

impl From<Flag> for Flags {
    fn from(flag: Flag) -> Self {
        Self(1 << flag as u8)
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (_, name) in NAMES.iter().filter(|(flag, _)| self.has(*flag)) {
            write!(f, "{separator}{name}")?;
            separator = ",";
        }
        if separator.is_empty() {
            f.write_str("-")
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_written_as_envoy_writes_them() {
        assert_eq!(Flags::NONE.to_string(), "-");
        let mut flags = Flags::from(Flag::UpstreamRetryLimitExceeded);
        flags.add(Flag::UpstreamConnectionFailure);
        assert_eq!(flags.to_string(), "UF,URX");
        assert!(flags.has_named("UF") && !flags.has_named("NR"));
    }
}
