//! xDS resources as parts of the runtime [`Config`](crate::config::Config). Pure.
//!
//! One resource is taken whole or refused whole, with a text that names the field. What this proxy
//! does not know is refused too, because it might be a policy; only extensions that are marked
//! optional, and telemetry, are passed over.

#![expect(
    deprecated,
    reason = "Istio's control plane still sends fields that Envoy has newer ones for"
)]

mod action;
mod cluster;
mod endpoints;
mod fault;
mod filter;
mod hcm;
mod header;
mod lb;
mod listener;
mod log;
mod matching;
mod names;
mod network;
mod rbac;
mod retry;
mod route;
mod tls;
mod value;

#[cfg(test)]
mod tests;

pub use cluster::{ClusterPart, cluster};
pub use endpoints::assignment;
pub use fault::Fault;
pub use listener::listener;
pub use names::names;
pub use route::table;
pub use tls::secret;
pub use value::address;

use fault::{At, Outcome};
