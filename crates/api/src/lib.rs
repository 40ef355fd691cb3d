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
pub mod templates;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

/// The definitions of every kind that Weft brings, as `crds/` and the chart hold them.
pub fn crds() -> Vec<CustomResourceDefinition> {
    [operator::crds(), networking::crds(), security::crds()].concat()
}
