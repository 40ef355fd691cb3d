//! Watches Kubernetes into one [`Objects`] value.
//!
//! Flows in: watch events of each kind. Flows out: a `tokio::sync::watch` of [`Collected`], which is
//! complete once every kind has been listed. While the API server is away the last state stays.

mod credentials;
mod kinds;
mod relist;

pub use kinds::start;

use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::watch;
use weft_ca::Material;
use weft_model::Objects;

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
    /// Namespaces of proxies at the edge whose Secrets have been listed.
    listed: BTreeSet<String>,
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
        let namespaces = &self.objects.settings.gateway_namespaces;
        self.missing.is_empty() && namespaces.iter().all(|name| self.listed.contains(name))
    }

    /// The kinds that have not been listed yet.
    pub fn missing(&self) -> impl Iterator<Item = Kind> {
        self.missing.iter().copied()
    }
}

/// A view of what is known.
pub type Knowledge = watch::Receiver<Collected>;
