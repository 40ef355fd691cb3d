//! Services: the names that a client calls, and what stands behind them.

use crate::endpoint::{Endpoint, Tls};
use crate::host::Host;
use crate::objects::Key;
use crate::protocol::Protocol;
use crate::visibility::Visibility;
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// A name that workloads can call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Service {
    /// Namespace and name of the Service; of a host of a ServiceEntry, its namespace and the host.
    pub key: Key,
    /// Where it is written down.
    pub registry: Registry,
    /// Its full name.
    pub host: Host,
    /// Further names that lead to it: `ExternalName` Services.
    pub aliases: Vec<(Key, Host)>,
    /// Its addresses; none if it is headless, or found by its name only.
    pub addresses: Vec<IpAddr>,
    /// Ranges of addresses that are its own.
    pub ranges: Vec<IpNet>,
    /// Addresses for clients whose DNS queries their proxy answers, where it has no others.
    pub automatic: Vec<IpAddr>,
    /// How its endpoints are found.
    pub resolution: Resolution,
    /// Outside the mesh: nobody there speaks the mesh's mutual TLS.
    pub external: bool,
    /// Names in the certificates of its servers, beside those of their service accounts.
    pub identities: Vec<String>,
    /// Its TCP ports, by number.
    pub ports: Vec<Port>,
    /// Who sees it.
    pub visibility: Visibility,
}

/// Where a service is written down.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Registry {
    /// A Service of Kubernetes.
    Kubernetes,
    /// A ServiceEntry of its namespace.
    Entry {
        /// Made so many seconds after 1970.
        created: i64,
        /// Name of the object, of the oldest one.
        name: String,
    },
}

/// How the endpoints of a service are found.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Resolution {
    /// The control plane knows them.
    Known,
    /// Each proxy asks DNS, and uses all addresses of an answer.
    Dns,
    /// Each proxy asks DNS, and uses the first address of an answer.
    DnsFirst,
    /// Whoever makes the connection has found one.
    Original,
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
        self.registry == Registry::Kubernetes && self.addresses.is_empty()
    }
}

impl Port {
    /// Who serves it: the identities that a client accepts.
    pub fn accounts(&self) -> BTreeSet<Account> {
        let workloads = self.endpoints.iter().flat_map(|each| &each.workload);
        workloads
            .filter(|workload| !workload.service_account.is_empty())
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
