//! Where a service port is served.

use crate::workload::{Locality, Workload};
use std::net::IpAddr;
use std::sync::Arc;

/// One backend of a service port.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Endpoint {
    /// Where it is.
    pub place: Place,
    /// Its port.
    pub port: u16,
    /// Whether it takes new work.
    pub health: Health,
    /// Whether clients must speak the mesh's mutual TLS to it.
    pub tls: Tls,
    /// Where it stands.
    pub locality: Locality,
    /// Share among the endpoints, 1 as a rule.
    pub weight: u32,
    /// The workload behind it; `None` for an address of which nothing is known.
    pub workload: Option<Arc<Workload>>,
}

/// Where an endpoint is.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Place {
    /// At these addresses, that of the Service's first family first; never empty.
    Addresses(Vec<IpAddr>),
    /// Where DNS says.
    Name(Arc<str>),
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
    /// Its addresses; none if only DNS knows them.
    pub fn addresses(&self) -> &[IpAddr] {
        match &self.place {
            Place::Addresses(addresses) => addresses,
            Place::Name(_) => &[],
        }
    }

    /// The address of the same family as one of `own`, else the first; or the name.
    pub fn address(&self, own: &[IpAddr]) -> String {
        let reachable = |ip: &&IpAddr| own.iter().any(|mine| mine.is_ipv4() == ip.is_ipv4());
        match &self.place {
            Place::Addresses(all) => all.iter().find(reachable).unwrap_or(&all[0]).to_string(),
            Place::Name(name) => name.to_string(),
        }
    }
}
