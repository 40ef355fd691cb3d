//! Watches Kubernetes into one [`Objects`] value.
//!
//! Flows in: watch events of each kind. Flows out: a `tokio::sync::watch` of [`Collected`], which is
//! complete once every kind has been listed. While the API server is away the last state stays.

mod credentials;
mod kinds;
mod relist;
mod retries;

pub use kinds::start;

use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::watch;
use weft_ca::Material;
use weft_model::{Key, Objects};

/// A kind that is watched.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Namespaces.
    Namespace,
    /// Machines.
    Node,
    /// Services.
    Service,
    /// Endpoint slices.
    EndpointSlice,
    /// Pods.
    Pod,
    /// Istio PeerAuthentications.
    PeerAuthentication,
    /// Istio AuthorizationPolicies.
    AuthorizationPolicy,
    /// Istio VirtualServices.
    VirtualService,
    /// Istio DestinationRules.
    DestinationRule,
    /// Istio Gateways.
    Gateway,
    /// Istio ServiceEntries.
    ServiceEntry,
    /// Istio WorkloadEntries.
    WorkloadEntry,
    /// Istio Sidecars.
    Sidecar,
    /// ConfigMap `weft-mesh`.
    Settings,
    /// Secret `weft-ca`.
    Ca,
}

/// Every kind.
pub const KINDS: [Kind; 15] = [
    Kind::Namespace,
    Kind::Node,
    Kind::Service,
    Kind::EndpointSlice,
    Kind::Pod,
    Kind::PeerAuthentication,
    Kind::AuthorizationPolicy,
    Kind::VirtualService,
    Kind::DestinationRule,
    Kind::Gateway,
    Kind::ServiceEntry,
    Kind::WorkloadEntry,
    Kind::Sidecar,
    Kind::Settings,
    Kind::Ca,
];

/// What is known of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// The objects.
    pub objects: Objects,
    /// The CA's Secret; `None` when there is none.
    pub ca: Option<Arc<Material>>,
    /// Kinds that have not been listed yet.
    missing: BTreeSet<Kind>,
    /// Secrets of gateways that have been looked for.
    listed: BTreeSet<Key>,
}

impl Collected {
    fn nothing() -> Self {
        Self {
            missing: KINDS.into(),
            ..Self::default()
        }
    }

    /// Whether every kind has been listed, so that what is absent here does not exist.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Whether every Secret that a Gateway names has been looked for: until then a gateway would be
    /// told to end what it serves.
    pub fn has_credentials(&self) -> bool {
        let mut wanted = credentials::wanted(&self.objects).into_iter();
        wanted.all(|key| self.listed.contains(&key))
    }

    /// The kinds that have not been listed yet.
    pub fn missing(&self) -> impl Iterator<Item = Kind> {
        self.missing.iter().copied()
    }
}

/// A view of what is known.
pub type Knowledge = watch::Receiver<Collected>;
