//! The control side: keeps [`crate::config::Config`] and the workload's certificate true.
//!
//! Flows in: xDS resources and certificates, over mutual TLS from the control plane or from disk.
//! Flows out: one immutable configuration at a time, and an identity in
//! [`Secrets`](crate::data::secrets::Secrets). Never on the path of a request, and never gives up.

pub mod ca;
pub mod certs;
pub mod channel;
pub mod decode;
pub mod node;
pub mod saved;
pub mod store;
pub mod stream;

#[cfg(test)]
mod tests;
