//! The runtime configuration: what `control` hands to `data`.
//!
//! Plain, immutable values in Envoy's vocabulary (listeners, filter chains, routes, clusters,
//! endpoints), already parsed: no protobuf, no invalid regex, no missing field. Made by
//! [`crate::control::decode`] from xDS or from a bootstrap file; read through one
//! `arc_swap` pointer by every worker.

mod bucket;
mod cluster;
mod listener;
mod names;
mod policy;
mod retry;
mod route;

pub use bucket::*;
pub use cluster::*;
pub use listener::*;
pub use names::*;
pub use policy::*;
pub use retry::*;
pub use route::*;

use std::collections::BTreeMap;
use std::sync::Arc;

/// One consistent state of everything that the data path reads.
///
/// Parts are shared between generations: an unchanged cluster is the same `Arc` in the next
/// configuration, which is how the data path knows that it may keep its counters and pools.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Listeners by name; `bind_to_port: false` ones are reached through `use_original_dst`.
    pub listeners: BTreeMap<Arc<str>, Arc<Listener>>,
    /// Route tables by RDS name.
    pub routes: BTreeMap<Arc<str>, Arc<RouteTable>>,
    /// Clusters by name, each with its current endpoints.
    pub clusters: BTreeMap<Arc<str>, Arc<Cluster>>,
    /// Names that the application's DNS queries are answered for.
    pub names: Arc<Names>,
}
