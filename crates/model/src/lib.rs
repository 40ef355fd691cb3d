//! What the mesh is: a value computed from Kubernetes objects, and what of it one proxy sees.
//!
//! Flows in: [`Objects`]. Flows out: a `Snapshot`, one `View` a proxy, and a [`Problem`] for
//! every fault in somebody's object. Must never do I/O, and never change a snapshot: it is rebuilt.

pub mod host;
pub mod objects;
pub mod problem;
pub mod protocol;
pub mod visibility;

pub use host::Host;
pub use objects::{Key, Objects};
pub use problem::{ObjectRef, Problem, Severity};
pub use protocol::Protocol;
