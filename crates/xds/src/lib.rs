//! The xDS protocol, version 3, over one aggregated stream: delta first, state-of-the-world second.
//!
//! Flows in on the server's side: a [`World`] of versioned resources and a client's requests. Flows out:
//! the fewest responses that make the client's copy equal. On the client's side the same backwards.
//! The rules live in pure state machines ([`delta`], [`sotw`]); [`client`] and [`server`] only move
//! messages. Must never look inside a resource or know what Kubernetes is.
//!
//! Source: Envoy `api-docs/xds_protocol`.

pub mod order;
pub mod world;

mod interest;

pub mod delta;
pub mod sotw;

pub mod client;
pub mod server;

pub use client::Client;
pub use world::{Resource, Set, World};
