//! ServiceEntries and WorkloadEntries: services that Kubernetes does not know, as services of the
//! mesh.
//!
//! An object that is wrong anywhere is not applied at all. ServiceEntries of one namespace for one
//! host are merged: ports add up, and endpoints of a port that is found the same way. Of several
//! namespaces' services for a host a client sees one: see [`crate::build::scopes`].

mod automatic;
mod check;
mod endpoints;
mod parse;
mod services;

pub(crate) use endpoints::of_service;
pub(crate) use services::add;

use crate::host::Host;
use crate::objects::{Config, Key};
use crate::problem::ObjectRef;
use crate::protocol::Protocol;
use crate::service::Resolution;
use crate::visibility::Visibility;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use weft_api::networking::{ServiceEntrySpec, WorkloadEntrySpec};

/// A ServiceEntry, parsed.
#[derive(Clone, Debug)]
struct Entry {
    /// Namespace and name of the object.
    key: Key,
    created: i64,
    hosts: Vec<Host>,
    addresses: Vec<IpAddr>,
    ranges: Vec<IpNet>,
    ports: Vec<EntryPort>,
    external: bool,
    resolution: Resolution,
    backends: Backends,
    visibility: Visibility,
    identities: Vec<String>,
}

/// A port of an [`Entry`].
#[derive(Clone, Debug)]
struct EntryPort {
    name: String,
    number: u16,
    /// The port of the endpoints.
    target: u16,
    protocol: Protocol,
}

/// What stands behind an [`Entry`].
#[derive(Clone, Debug)]
enum Backends {
    /// The names of its hosts, or nothing.
    Hosts,
    /// These.
    Listed(Vec<WorkloadEntrySpec>),
    /// Workloads of its namespace with these labels.
    Selected(BTreeMap<String, String>),
}

fn reference(object: &Arc<Config<ServiceEntrySpec>>) -> ObjectRef {
    ObjectRef {
        group: "networking.istio.io",
        kind: "ServiceEntry",
        key: object.meta.key.clone(),
    }
}
