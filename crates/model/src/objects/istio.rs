//! Istio's objects: what the model needs of their metadata, and their spec.

use super::Key;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

/// The metadata that decisions depend on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Meta {
    /// Namespace and name.
    pub key: Key,
    /// Seconds since 1970; the older of two objects wins a conflict, at a tie the smaller key.
    pub created: i64,
    /// Generation, which the status repeats.
    pub generation: i64,
    /// Annotations, without kubectl's copy of the object.
    pub annotations: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

impl From<&ObjectMeta> for Meta {
    fn from(meta: &ObjectMeta) -> Self {
        let kept = |(key, _): &(&String, &String)| !key.starts_with("kubectl.kubernetes.io/");
        Self {
            key: Key::new(
                meta.namespace.clone().unwrap_or_default(),
                meta.name.clone().unwrap_or_default(),
            ),
            created: meta
                .creation_timestamp
                .as_ref()
                .map_or(0, |time| time.0.as_second()),
            generation: meta.generation.unwrap_or_default(),
            annotations: meta
                .annotations
                .iter()
                .flatten()
                .filter(kept)
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            labels: meta.labels.clone().unwrap_or_default(),
        }
    }
}

/// An object of one of Istio's kinds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Config<S> {
    /// Its metadata.
    pub meta: Meta,
    /// Its spec.
    pub spec: S,
}

impl<S> Config<S> {
    /// The object of this metadata and spec.
    pub fn new(meta: &ObjectMeta, spec: S) -> Self {
        Self {
            meta: meta.into(),
            spec,
        }
    }

    /// What the older of two objects has less of.
    pub fn age(&self) -> (i64, &Key) {
        (self.meta.created, &self.meta.key)
    }
}
