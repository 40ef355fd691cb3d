//! One Kubernetes object of any kind, as it is rendered, compared and applied.

use kube::Resource;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// What names an object in the cluster.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key {
    /// Kind, such as `Deployment`.
    pub kind: String,
    /// Namespace; empty for cluster-wide kinds.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}

/// An object that the mesh needs, with the API that takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Group, version and plural of the kind.
    pub resource: ApiResource,
    /// The object as the API server gets it.
    pub value: DynamicObject,
}

impl Object {
    /// `typed` as an object of its kind.
    pub fn new<K>(typed: &K) -> Self
    where
        K: Resource<DynamicType = ()> + Serialize,
    {
        let resource = ApiResource::erase::<K>(&());
        let value = serde_json::to_value(typed).expect("Kubernetes' types are JSON");
        Self::from_value(resource, value)
    }

    /// `value` as an object of `resource`.
    pub fn from_value(resource: ApiResource, mut value: Value) -> Self {
        value["apiVersion"] = resource.api_version.clone().into();
        value["kind"] = resource.kind.clone().into();
        let value = serde_json::from_value(value).expect("it has metadata, kind and apiVersion");
        Self { resource, value }
    }

    /// What names it.
    pub fn key(&self) -> Key {
        key(&self.resource.kind, &self.value)
    }

    /// Its kind in full.
    pub fn gvk(&self) -> GroupVersionKind {
        GroupVersionKind::gvk(
            &self.resource.group,
            &self.resource.version,
            &self.resource.kind,
        )
    }
}

/// What names `object` of `kind`.
pub fn key(kind: &str, object: &DynamicObject) -> Key {
    Key {
        kind: kind.to_owned(),
        namespace: object.metadata.namespace.clone().unwrap_or_default(),
        name: object.metadata.name.clone().unwrap_or_default(),
    }
}
