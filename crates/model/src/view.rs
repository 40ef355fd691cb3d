//! What one proxy sees of a snapshot.

use crate::authorization::Policy;
use crate::gateway::Edge;
use crate::host::Host;
use crate::inbound::Inbound;
use crate::mesh::Mesh;
use crate::routing::{Destination, VirtualService};
use crate::service::Service;
use crate::sidecar::Bound;
use crate::traffic::Rule;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use weft_api::settings::OutboundPolicy;

/// What a proxy says of itself when it asks for its configuration.
///
/// The pod that the snapshot knows under this name counts for more than labels and addresses here.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Node {
    /// What it does.
    pub role: Role,
    /// Namespace of its pod, as its certificate proves it.
    pub namespace: String,
    /// Name of its pod.
    pub pod: String,
    /// Addresses of its pod.
    pub ips: Vec<IpAddr>,
    /// Service account, as its certificate proves it.
    pub service_account: String,
    /// Labels of its pod.
    pub labels: BTreeMap<String, String>,
    /// Other metadata, such as `WEFT_VERSION`.
    pub metadata: BTreeMap<String, String>,
}

/// What a proxy does.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Role {
    /// It stands beside one workload.
    #[default]
    Sidecar,
    /// It stands at the edge.
    Router,
}

/// Which proxy reads the configuration.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Proxy {
    /// Ours.
    #[default]
    Weft,
    /// A stock Envoy, without Istio's extensions.
    Envoy,
}

/// Address families of a pod; decides where its proxy listens.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Families {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// Both.
    Dual,
}

impl Families {
    /// The families of these addresses; IPv4 if there are none.
    pub fn of(ips: &[IpAddr]) -> Self {
        let v4 = ips.iter().any(IpAddr::is_ipv4);
        match (v4, ips.iter().any(IpAddr::is_ipv6)) {
            (false, true) => Self::V6,
            (true, true) => Self::Dual,
            (_, false) => Self::V4,
        }
    }

    /// Whether an address of the family of `ip` can be reached.
    pub fn reach(self, ip: IpAddr) -> bool {
        match self {
            Self::V4 => ip.is_ipv4(),
            Self::V6 => ip.is_ipv6(),
            Self::Dual => true,
        }
    }
}

/// What happens to destinations that a workload does not know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unknown {
    /// They are reached unchanged.
    Pass,
    /// They are refused.
    Refuse,
    /// They are reached through a service; its port is named.
    Through(Destination),
}

impl From<OutboundPolicy> for Unknown {
    fn from(policy: OutboundPolicy) -> Self {
        match policy {
            OutboundPolicy::AllowAny => Self::Pass,
            OutboundPolicy::RegistryOnly => Self::Refuse,
        }
    }
}

/// Everything that the configuration of one proxy depends on.
///
/// Equal views give equal configurations, so proxies with equal views share one. Comparing two
/// views of one snapshot compares pointers where most of the data is; `Hash` covers what differs
/// between proxies of one snapshot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct View {
    /// Settings of the mesh.
    pub mesh: Arc<Mesh>,
    /// Which proxy it is for.
    pub proxy: Proxy,
    /// Namespace of the proxy: short names and visibility count from here.
    pub namespace: String,
    /// Its address families.
    pub families: Families,
    /// Services that it calls, with the ports that it calls; one for each host.
    pub services: Arc<Vec<Arc<Service>>>,
    /// These, and those that routes lead to; with all ports.
    pub destinations: Arc<Vec<Arc<Service>>>,
    /// Ports that its Sidecar puts somewhere else than the services are.
    pub bound: Arc<Vec<Bound>>,
    /// What happens to destinations that it does not know.
    pub unknown: Unknown,
    /// Whether its proxy answers the DNS queries of its pod, so that services may have automatic
    /// addresses.
    pub captures_dns: bool,
    /// VirtualServices that it sees, the oldest first, without routes for other clients.
    pub routing: Vec<Arc<VirtualService>>,
    /// The DestinationRule of each service that has one.
    pub traffic: BTreeMap<Host, Arc<Rule>>,
    /// Who may do what with its workload.
    pub authorization: Vec<Arc<Policy>>,
    /// What its workload accepts.
    pub inbound: Arc<Inbound>,
    /// What it does at the edge; `None` for a sidecar.
    pub edge: Option<Arc<Edge>>,
}

impl View {
    /// The addresses of `service` that clients with this view can connect to.
    pub fn addresses<'a>(&self, service: &'a Service) -> Vec<&'a IpAddr> {
        let all = self.all_addresses(service).iter();
        all.filter(|ip| self.families.reach(**ip)).collect()
    }

    /// Whether no address tells `service` from others of its ports: then the host of a request, the
    /// server name of a TLS connection, a range, or nothing does.
    pub fn is_without_address(&self, service: &Service) -> bool {
        !service.is_headless() && self.all_addresses(service).is_empty()
    }

    fn all_addresses<'a>(&self, service: &'a Service) -> &'a [IpAddr] {
        match service.addresses.is_empty() && self.captures_dns {
            true => &service.automatic,
            false => &service.addresses,
        }
    }
}

impl Hash for View {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.proxy.hash(state);
        self.namespace.hash(state);
        self.families.hash(state);
        self.captures_dns.hash(state);
        self.authorization.hash(state);
        self.inbound.hash(state);
        self.edge.is_some().hash(state);
    }
}
