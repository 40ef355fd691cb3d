//! What Weft promises, on a real cluster with real pods.
//!
//! Run by `cargo xtask e2e`; by hand with `cargo test -p weft-e2e --features cluster -- --test-threads 1`,
//! because all of them share one mesh.

mod egress;
mod endpoints;
mod gateway;
mod inject;
mod install;
mod istio;
mod meshoperator;
mod mtls;
mod outage;
mod polyglot;
mod protocols;
mod removal;
mod resilience;
mod rotation;
mod seed;
mod settled;
mod telemetry;
