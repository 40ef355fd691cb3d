//! What is in the cluster that matters for one mesh.

use crate::ca::Texts;
use crate::object::Key;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use time::OffsetDateTime;

/// What `inspect` found.
#[derive(Clone, Debug)]
pub struct World {
    /// Time of the look.
    pub now: OffsetDateTime,
    /// Objects that were made for the mesh, but Secrets.
    pub owned: BTreeMap<Key, DynamicObject>,
    /// Texts of the mesh's Secrets by name; absent where there is no such Secret.
    pub secrets: BTreeMap<String, Texts>,
    /// Names of the Secrets that Gateways want to show clients.
    pub gateway_secrets: BTreeSet<String>,
    /// State of the mesh's namespace.
    pub namespace: Namespace,
    /// Names of all namespaces that can hold new objects.
    pub namespaces: Vec<String>,
    /// Injected pods by revision.
    pub proxies: BTreeMap<String, usize>,
    /// Injected pods by namespace.
    pub users: BTreeMap<String, usize>,
    /// Injected pods, whatever their revision.
    pub injected: Vec<PodName>,
    /// Pods that started without a sidecar while no injector answered.
    pub missed: Vec<PodName>,
    /// What refuses plaintext, as the user knows it; looked at only for a removal that takes
    /// sidecars out.
    pub strict: Vec<String>,
    /// Why pods of the mesh's own programs do not start.
    pub troubles: Vec<Trouble>,
    /// A MeshOperator that was there first.
    pub rival: Option<String>,
}

/// One pod, for eviction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PodName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Which of all pods that ever had the name.
    pub uid: String,
    /// Whether somebody puts another in its place. A Job would count it as failed, so it does not.
    pub replaced: bool,
}

impl PodName {
    /// The pod with `metadata`.
    pub fn of(metadata: &ObjectMeta) -> Self {
        const REPLACING: [&str; 4] = [
            "ReplicaSet",
            "StatefulSet",
            "DaemonSet",
            "ReplicationController",
        ];
        let mut owners = metadata.owner_references.iter().flatten();
        Self {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            replaced: owners.any(|owner| {
                owner.controller == Some(true) && REPLACING.contains(&owner.kind.as_str())
            }),
        }
    }
}

impl fmt::Display for PodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// State of a namespace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Namespace {
    /// It does not exist.
    Absent,
    /// It can hold objects.
    Active,
    /// It is being deleted.
    Terminating,
}

/// Why a pod does not start.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    /// Whether an image cannot be had.
    pub image: bool,
    /// Pod, container and what Kubernetes says.
    pub text: String,
}

/// How far a Deployment is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// It does not exist.
    Absent,
    /// Fewer pods than wanted are available, or old ones are left.
    Partial {
        /// Pods that are available.
        available: i64,
        /// Pods that are wanted.
        wanted: i64,
    },
    /// All pods are new and available.
    Complete {
        /// Pods that are available.
        available: i64,
    },
}

impl Progress {
    /// Pods that are available.
    pub fn available(self) -> i64 {
        match self {
            Self::Absent => 0,
            Self::Partial { available, .. } | Self::Complete { available } => available,
        }
    }

    /// Whether all pods are new and available.
    pub fn complete(self) -> bool {
        matches!(self, Self::Complete { .. })
    }
}

impl World {
    /// The object `name` of `kind` in `namespace`, if it was made for the mesh.
    pub fn object(&self, kind: &str, namespace: &str, name: &str) -> Option<&DynamicObject> {
        self.owned.get(&Key {
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }

    /// How far the Deployment `name` is.
    pub fn progress(&self, namespace: &str, name: &str) -> Progress {
        match self.object("Deployment", namespace, name) {
            None => Progress::Absent,
            Some(deployment) => progress(deployment),
        }
    }

    /// The bundle of the webhook configuration `name`; `None` where there is none.
    pub fn trusted_bundle(&self, name: &str) -> Option<String> {
        let object = self.object("MutatingWebhookConfiguration", "", name)?;
        let encoded = object.data.pointer("/webhooks/0/clientConfig/caBundle")?;
        let bytes = serde_json::from_value::<k8s_openapi::ByteString>(encoded.clone()).ok()?;
        String::from_utf8(bytes.0).ok()
    }
}

/// Source: how `kubectl rollout status` judges a Deployment.
fn progress(deployment: &DynamicObject) -> Progress {
    let number = |path: &str| {
        deployment
            .data
            .pointer(path)
            .and_then(Value::as_i64)
            .unwrap_or(0)
    };
    let wanted = number("/spec/replicas");
    let available = number("/status/availableReplicas");
    let seen = deployment.metadata.generation.unwrap_or(0) <= number("/status/observedGeneration");
    let new = number("/status/updatedReplicas") >= wanted;
    let old = number("/status/replicas") > number("/status/updatedReplicas");
    if seen && new && !old && available >= wanted {
        Progress::Complete { available }
    } else {
        Progress::Partial { available, wanted }
    }
}
