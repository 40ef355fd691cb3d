//! The operator: makes the cluster as a MeshOperator says, and tells the user how far that is.
//!
//! inspect (what is there) → plan (what should be, pure) → rollout (the difference) → status.
//! Flows in: MeshOperators and everything that was made for them. Flows out: Kubernetes objects,
//! conditions, events. Must never delete a definition of a kind, a user's object or a certificate
//! authority, and never write where nothing changed.

pub mod ca;
pub mod images;
pub mod object;
pub mod render;
pub mod resolve;
pub mod versions;
