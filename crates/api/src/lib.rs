//! The Kubernetes kinds that Weft reads and writes: data and accessors only.
//!
//! Flows in: YAML and JSON of the API server. Flows out: typed values that `model`, `operator` and
//! `injector` decide on. Must never do I/O or hold a Kubernetes client.

pub mod injection;
pub mod labels;
pub mod networking;
pub mod operator;
pub mod security;
pub mod settings;
