//! Where a service port is served.

use crate::workload::{Locality, Workload};
use std::net::IpAddr;
use std::sync::Arc;

/// One backend of a service port.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Endpoint {
    /// Its addresses, that of the Service's first family first; never empty.
    pub addresses: Vec<IpAddr>,
    /// Its port.
    pub port: u16,
    /// Whether it takes new work.
    pub health: Health,
    /// Whether clients must speak the mesh's mutual TLS to it.
    pub tls: Tls,
    /// Where it stands.
    pub locality: Locality,
    /// The pod behind it; `None` for an address outside the cluster.
    pub workload: Option<Arc<Workload>>,
}

/// Whether an endpoint takes new work.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Health {
    /// It does.
    Ready,
    /// It ends what it has begun.
    Draining,
}

/// What a client speaks to an endpoint when no DestinationRule says it (Istio's auto mTLS).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Tls {
    /// Plaintext: no sidecar, or its PeerAuthentication disables mTLS.
    None,
    /// Mutual TLS; the endpoint takes plaintext too.
    Offered,
    /// Mutual TLS; the endpoint takes nothing else.
    Required,
}

impl Endpoint {
    /// The address of the same family as one of `own`, else the first.
    pub fn address(&self, own: &[IpAddr]) -> IpAddr {
        let reachable = |ip: &&IpAddr| own.iter().any(|mine| mine.is_ipv4() == ip.is_ipv4());
        let first = &self.addresses[0];
        *self.addresses.iter().find(reachable).unwrap_or(first)
    }
}
