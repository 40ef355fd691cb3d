//! The operator: makes the cluster as a MeshOperator says, and tells the user how far that is.
//!
//! inspect (what is there) → plan (what should be, pure) → rollout (the difference) → status.
//! Flows in: MeshOperators and everything that was made for them. Flows out: Kubernetes objects,
//! conditions, events. Must never delete a definition of a kind, a user's object or a certificate
//! authority, and never write where nothing changed.

pub mod reconcile;

pub mod inspect;
pub mod world;

pub mod access;
pub mod ca;
pub mod images;
pub mod object;
pub mod plan;
pub mod render;
pub mod resolve;
pub mod versions;

pub mod evict;
pub mod fuse;
pub mod pace;
pub mod removal;
pub mod rollout;

pub mod condition;
pub mod findings;
pub mod status;

pub mod context;
pub mod controller;
pub mod crds;
pub mod error;
pub mod leader;
pub mod metrics;
pub mod serve;
pub mod settings;

pub use reconcile::reconcile;
