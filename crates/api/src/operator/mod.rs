//! The `weft.mesh` group: `MeshOperator`, the one object that describes a mesh.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

/// The definitions of all kinds of this group.
pub fn crds() -> Vec<CustomResourceDefinition> {
    Vec::new()
}
