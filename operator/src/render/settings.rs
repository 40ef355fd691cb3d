//! ConfigMaps: what the control plane, the injector and the pods read.

use super::meta;
use crate::resolve::Mesh;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use std::collections::BTreeMap;

/// Name of the ConfigMap with the trusted roots, in every namespace.
pub(crate) const ROOTS: &str = "weft-ca-roots";

pub(super) fn mesh_map(mesh: &Mesh) -> ConfigMap {
    map(mesh, "weft-mesh", "mesh.yaml", &mesh.settings)
}

pub(super) fn injection_map(mesh: &Mesh) -> ConfigMap {
    map(mesh, "weft-injection", "settings.yaml", &mesh.injection)
}

/// The trusted roots of the mesh, for the pods of `namespace`.
pub fn roots_map(owner: &str, namespace: &str, roots: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(ROOTS.to_owned()),
            namespace: Some(namespace.to_owned()),
            labels: Some(meta::labels(owner)),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(
            "root-cert.pem".to_owned(),
            roots.to_owned(),
        )])),
        ..ConfigMap::default()
    }
}

fn map<S: Serialize>(mesh: &Mesh, name: &str, key: &str, settings: &S) -> ConfigMap {
    let text = serde_saphyr::to_string(settings).expect("settings are maps, lists and texts");
    ConfigMap {
        metadata: meta::namespaced(mesh, name),
        data: Some(BTreeMap::from([(key.to_owned(), text)])),
        ..ConfigMap::default()
    }
}
