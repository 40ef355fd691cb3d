//! What one workload accepts.

use crate::host::Host;
use crate::objects::Key;
use crate::protocol::Protocol;
use crate::traffic::Pool;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use weft_api::settings::MtlsMode;

/// What the proxy in front of a workload accepts.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Inbound {
    /// Ports of the pod that Services lead to, by number.
    pub ports: Vec<InboundPort>,
    /// mTLS of all other ports.
    pub mtls: MtlsMode,
    /// mTLS of single ports that no Service leads to.
    pub overrides: BTreeMap<u16, MtlsMode>,
}

/// A port of the pod that Services lead to.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct InboundPort {
    /// Port of the pod.
    pub number: u16,
    /// What it speaks: what the first of `services` declares.
    pub protocol: Protocol,
    /// Which connections it accepts.
    pub mtls: MtlsMode,
    /// The Services that lead to it; never empty. The first names it in routes and metrics.
    pub services: Vec<Target>,
    /// Where the application listens, if not there.
    pub endpoint: Option<SocketAddr>,
    /// Limits of connections to the application.
    pub pool: Option<Pool>,
}

/// A Service port that leads to a port of the pod.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Target {
    /// Namespace and name of the Service.
    pub key: Key,
    /// Its full name.
    pub host: Host,
    /// Its port.
    pub port: u16,
}
