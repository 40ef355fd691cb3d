//! The data path: listen → accept → detect → (TLS) → admit → choose → dial → forward → report.
//!
//! One [`worker`] per thread, each a `current_thread` runtime with its own listeners, pools and
//! counters. Nothing here locks, and nothing here knows protobuf.

pub mod accept;
pub mod admit;
pub mod choose;
pub mod conn;
pub mod detect;
pub mod dial;
pub mod drain;
pub mod http;
pub mod listen;
pub mod report;
pub mod run;
pub mod secrets;
pub mod stream;
pub mod tcp;
pub mod tls;
pub mod worker;

#[cfg(test)]
mod entry_tests;
#[cfg(test)]
pub(crate) mod test_conn;
#[cfg(test)]
pub(crate) mod test_mesh;
