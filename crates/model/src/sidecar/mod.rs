//! Sidecars: what the proxies of some workloads know, accept and let out.
//!
//! For a workload counts the Sidecar of its namespace that selects it, else the one there that
//! selects nothing, else the one of the root namespace that selects nothing; of several on one level
//! the oldest. What an object says that cannot be read opens nothing: an egress host that is no
//! `namespace/name` lets in nothing, and what stands beside it stays in force.

mod accept;
mod check;
mod parse;
mod scope;
mod table;

pub use scope::{Bound, Scope};
pub(crate) use table::Sidecars;

use crate::host::Host;
use crate::objects::Key;
use crate::protocol::Protocol;
use crate::traffic::Pool;
use crate::view::Unknown;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// A Sidecar, parsed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Sidecar {
    pub(crate) key: Key,
    /// Labels of the pods that it selects; empty for all.
    pub(crate) selector: BTreeMap<String, String>,
    /// What the workload knows; `None` is everything.
    pub(crate) egress: Option<Vec<Egress>>,
    /// What happens to other destinations; `None` is as the mesh has it.
    pub(crate) unknown: Option<Unknown>,
    /// What the workload accepts; empty is what Services lead to.
    pub(crate) ingress: Vec<Ingress>,
    /// Limits of connections to the application.
    pub(crate) pool: Option<Pool>,
}

impl Sidecar {
    /// The service through which unknown destinations are reached.
    pub(crate) fn through(&self) -> Option<&Host> {
        match &self.unknown {
            Some(Unknown::Through(to)) => Some(&to.host),
            Some(Unknown::Pass | Unknown::Refuse) | None => None,
        }
    }
}

/// Services that a workload knows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Egress {
    /// The only port; `None` for all that no other one has.
    pub(crate) port: Option<EgressPort>,
    /// These services.
    pub(crate) hosts: Vec<Pattern>,
    /// But not these.
    pub(crate) except: Vec<Pattern>,
}

/// The port of an [`Egress`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct EgressPort {
    pub(crate) number: u16,
    /// What it speaks, whatever the service says; `None` is what the service says.
    pub(crate) protocol: Option<Protocol>,
    /// Where it is listened on, if not wherever the services are.
    pub(crate) place: Option<IpAddr>,
    /// Whether the application connects to that place by itself.
    pub(crate) bound: bool,
}

/// Services of one namespace or all, of one name or many.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Pattern {
    pub(crate) namespace: Namespace,
    pub(crate) host: Host,
}

/// The namespace of a [`Pattern`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Namespace {
    /// Every one.
    Any,
    /// That of the workload.
    Own,
    /// This one.
    Named(String),
}

impl Pattern {
    /// Whether something of `namespace` with the name `host` is meant, for a workload in `own`.
    pub(crate) fn includes(&self, own: &str, namespace: &str, host: &Host) -> bool {
        self.in_namespace(own, namespace) && self.host.covers(host)
    }

    pub(crate) fn in_namespace(&self, own: &str, namespace: &str) -> bool {
        match &self.namespace {
            Namespace::Any => true,
            Namespace::Own => own == namespace,
            Namespace::Named(name) => name == namespace,
        }
    }
}

/// A port that a workload accepts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Ingress {
    pub(crate) number: u16,
    pub(crate) protocol: Option<Protocol>,
    /// Where the application listens; `None` is the port itself.
    pub(crate) endpoint: Option<SocketAddr>,
    /// Limits, instead of those of the Sidecar.
    pub(crate) pool: Option<Pool>,
}
