//! Names and labels of what the operator makes.

use crate::resolve::{Gateway, Mesh};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;
use weft_api::labels::{GATEWAY, INJECT, MANAGED_BY, OWNER, REVISION};

/// Labels of everything that the operator makes for the mesh `owner`.
pub fn labels(owner: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        (MANAGED_BY.to_owned(), "weft-operator".to_owned()),
        (OWNER.to_owned(), owner.to_owned()),
    ])
}

/// Metadata of `name` in the mesh's namespace.
pub(super) fn namespaced(mesh: &Mesh, name: &str) -> ObjectMeta {
    ObjectMeta {
        namespace: Some(mesh.namespace.clone()),
        ..cluster_wide(mesh, name)
    }
}

/// Metadata of the cluster-wide `name`.
pub(super) fn cluster_wide(mesh: &Mesh, name: &str) -> ObjectMeta {
    let mut labels = labels(&mesh.name);
    labels.insert("app".to_owned(), name.to_owned());
    ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(labels),
        ..ObjectMeta::default()
    }
}

/// Metadata of `name` beside a gateway.
pub(super) fn of_gateway(mesh: &Mesh, gateway: &Gateway, name: &str) -> ObjectMeta {
    ObjectMeta {
        namespace: Some(gateway.namespace.clone()),
        ..cluster_wide(mesh, name)
    }
}

/// What selects the pods of `gateway`, for ever; the user's labels may change.
pub(super) fn gateway_selector(gateway: &Gateway) -> BTreeMap<String, String> {
    BTreeMap::from([(GATEWAY.to_owned(), gateway.name.clone())])
}

/// Name of the ServiceAccount of `gateway`: policies that people have name Istio's so.
pub(super) fn gateway_account(gateway: &Gateway) -> String {
    format!("{}-service-account", gateway.name)
}

/// What selects the pods of `program`, for ever: a Deployment's selector cannot change.
pub(super) fn selector(program: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("app".to_owned(), program.to_owned())])
}

/// Labels of the pods of `program`. They are never injected: they must start before any injector.
pub(super) fn pod_labels(mesh: &Mesh, program: &str) -> BTreeMap<String, String> {
    let mut all = labels(&mesh.name);
    all.extend(selector(program));
    all.insert(REVISION.to_owned(), mesh.revision.clone());
    all.insert(INJECT.to_owned(), "false".to_owned());
    all
}
