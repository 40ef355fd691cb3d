//! The objects that the mesh is made from, as small as the model needs them.
//!
//! Flows in: what the API server sends, converted at the edge by the `From` implementations in
//! [`kubernetes`] and by [`Config::new`]. A mesh of 50,000 pods keeps one of these each, not the
//! full objects with their managed fields.

pub mod credential;
pub mod istio;
pub mod kubernetes;

pub use credential::Credential;
pub use istio::{Config, Meta};
pub use kubernetes::{EndpointSlice, KubeNode, Namespace, Pod, Service};

use std::collections::BTreeMap;
use std::sync::Arc;
use weft_api::networking::{
    DestinationRuleSpec, GatewaySpec, ServiceEntrySpec, SidecarSpec, VirtualServiceSpec,
    WorkloadEntrySpec,
};
use weft_api::security::{AuthorizationPolicySpec, PeerAuthenticationSpec};
use weft_api::settings::MeshSettings;

/// Namespace and name of an object; the namespace of cluster-scoped ones is empty.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key {
    /// Namespace, or empty.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Key {
    /// The key of `namespace`/`name`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

/// Objects of one kind. Cloning shares them.
pub type Store<T> = BTreeMap<Key, Arc<T>>;

/// The objects of one namespace.
pub(crate) fn in_namespace<'a, T>(
    store: &'a Store<T>,
    namespace: &'a str,
) -> impl Iterator<Item = &'a Arc<T>> {
    let from = store.range(Key::new(namespace, "")..);
    from.take_while(move |(key, _)| key.namespace == namespace)
        .map(|(_, object)| object)
}

/// Everything that a snapshot is built from. Cloning is cheap enough for every rebuild.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Settings of the mesh.
    pub settings: Arc<MeshSettings>,
    /// Namespaces, by name with an empty namespace.
    pub namespaces: Store<Namespace>,
    /// Machines, by name with an empty namespace.
    pub nodes: Store<KubeNode>,
    /// Services.
    pub services: Store<Service>,
    /// Endpoint slices.
    pub endpoint_slices: Store<EndpointSlice>,
    /// Pods.
    pub pods: Store<Pod>,
    /// Istio PeerAuthentications.
    pub peer_authentications: Store<Config<PeerAuthenticationSpec>>,
    /// Istio AuthorizationPolicies.
    pub authorization_policies: Store<Config<AuthorizationPolicySpec>>,
    /// Istio VirtualServices.
    pub virtual_services: Store<Config<VirtualServiceSpec>>,
    /// Istio DestinationRules.
    pub destination_rules: Store<Config<DestinationRuleSpec>>,
    /// Istio ServiceEntries.
    pub service_entries: Store<Config<ServiceEntrySpec>>,
    /// Istio WorkloadEntries.
    pub workload_entries: Store<Config<WorkloadEntrySpec>>,
    /// Istio Sidecars.
    pub sidecars: Store<Config<SidecarSpec>>,
    /// Istio Gateways.
    pub gateways: Store<Config<GatewaySpec>>,
    /// Secrets in the namespaces of proxies at the edge.
    pub credentials: Store<Credential>,
}
