//! Istio's `networking.istio.io` kinds, and what all of Istio's kinds share.
//!
//! All served versions of a kind are identical, so each has one Rust type. Values that can be wrong
//! in ways that a schema cannot refuse stay text here; `model` parses them and reports.

pub mod selector;
pub mod status;
pub mod versions;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

/// The definitions of all kinds of this group, with all their served versions.
pub fn crds() -> Vec<CustomResourceDefinition> {
    Vec::new()
}
