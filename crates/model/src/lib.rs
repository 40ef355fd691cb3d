//! What the mesh is: a value computed from Kubernetes objects, and what of it one proxy sees.
//!
//! Flows in: [`Objects`]. Flows out: a [`Snapshot`], one [`View`] a proxy, and a [`Problem`] for
//! every fault in somebody's object. Must never do I/O, and never change a snapshot: it is rebuilt.

pub mod authorization;
mod build;
pub mod duration;
pub mod endpoint;
mod entry;
pub mod gateway;
pub mod host;
pub mod inbound;
pub mod mesh;
pub mod objects;
pub mod peer;
pub mod problem;
pub mod protocol;
pub mod routing;
pub mod service;
pub mod sidecar;
pub mod snapshot;
pub mod traffic;
pub mod view;
pub mod visibility;
pub mod workload;

pub use host::Host;
pub use mesh::Mesh;
pub use objects::{Key, Objects};
pub use problem::{ObjectRef, Problem, Severity};
pub use protocol::Protocol;
pub use snapshot::Snapshot;
pub use view::{Node, Role, View};

/// Settings of the mesh that a translation needs.
pub use weft_api::settings::{AccessLogSettings, MtlsMode, OutboundPolicy};
