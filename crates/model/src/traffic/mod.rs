//! DestinationRules: how a service is reached.
//!
//! Of the rules for a host, those in the client's namespace count, else those in the service's, else
//! those in the root namespace; an exact host before a wildcard, a longer wildcard before a shorter.
//! Rules of one namespace for one host are merged: subsets add up, the oldest policy counts.

mod parse;
mod policy;
mod table;

pub(crate) use parse::pool;
pub use policy::{Hash, LoadBalancing, Outlier, Policy, Pool, SlowStart, TlsMode};
pub use table::Traffic;

use crate::host::Host;
use crate::objects::Key;
use crate::visibility::Visibility;
use std::collections::BTreeMap;

/// How a service is reached, all rules for it merged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// Namespace and name of the object, of the oldest one.
    pub key: Key,
    /// The services that it is for.
    pub host: Host,
    /// Who sees it.
    pub visibility: Visibility,
    /// How all of it is reached.
    pub policies: Policies,
    /// Its named parts.
    pub subsets: Vec<Subset>,
}

/// A named part of the endpoints of a service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subset {
    /// Its name.
    pub name: String,
    /// Labels of its pods.
    pub labels: BTreeMap<String, String>,
    /// What differs from the whole.
    pub policies: Policies,
}

/// A policy, and those of single ports.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Policies {
    /// Of all ports without their own.
    pub general: Policy,
    /// Instead of it, by port of the service.
    pub ports: BTreeMap<u16, Policy>,
}

impl Policies {
    fn on(&self, port: u16) -> &Policy {
        self.ports.get(&port).unwrap_or(&self.general)
    }
}

impl Rule {
    /// The policy of a port of the service, or of a subset of it.
    pub fn policy(&self, subset: Option<&Subset>, port: u16) -> Policy {
        let whole = self.policies.on(port).clone();
        match subset {
            Some(subset) => whole.overlaid_by(subset.policies.on(port)),
            None => whole,
        }
    }
}
