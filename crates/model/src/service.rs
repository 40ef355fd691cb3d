//! Services: the names that a client calls, and what stands behind them.

use crate::endpoint::{Endpoint, Tls};
use crate::host::Host;
use crate::objects::Key;
use crate::protocol::Protocol;
use crate::visibility::Visibility;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// A name that workloads can call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Service {
    /// Namespace and name of the Service.
    pub key: Key,
    /// Its full name.
    pub host: Host,
    /// Further names that lead to it: `ExternalName` Services.
    pub aliases: Vec<(Key, Host)>,
    /// Its addresses; none if it is headless.
    pub addresses: Vec<IpAddr>,
    /// Its TCP ports, by number.
    pub ports: Vec<Port>,
    /// Who sees it.
    pub visibility: Visibility,
}

/// A port of a [`Service`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Port {
    /// Its name; empty if it has none.
    pub name: String,
    /// Its number.
    pub number: u16,
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it is served, in the order of addresses.
    pub endpoints: Vec<Endpoint>,
}

/// A service account: who a workload is.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Account {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Service {
    /// Whether clients find the pods themselves.
    pub fn is_headless(&self) -> bool {
        self.addresses.is_empty()
    }
}

impl Port {
    /// Who serves it: the identities that a client accepts.
    pub fn accounts(&self) -> BTreeSet<Account> {
        let workloads = self.endpoints.iter().flat_map(|each| &each.workload);
        workloads
            .map(|workload| Account {
                namespace: workload.namespace.clone(),
                name: workload.service_account.clone(),
            })
            .collect()
    }

    /// Whether a client that cannot tell the endpoints apart speaks mutual TLS to them all.
    ///
    /// It does when all of them understand it, or one takes nothing else.
    pub fn speaks_mtls(&self) -> bool {
        let tls = || self.endpoints.iter().map(|each| each.tls);
        tls().all(|tls| tls != Tls::None) || tls().any(|tls| tls == Tls::Required)
    }
}
