//! Kubernetes' own objects, reduced to what the model reads.

use super::Key;
use super::istio::Meta;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1 as discovery;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeMap;
use std::net::IpAddr;

fn key(meta: &ObjectMeta) -> Key {
    Meta::from(meta).key
}

fn port(number: i32) -> u16 {
    u16::try_from(number).unwrap_or_default()
}

fn addresses<'a>(texts: impl IntoIterator<Item = &'a String>) -> Vec<IpAddr> {
    // What is not an address is Kubernetes' `None` of headless services, or not ours to reach.
    texts
        .into_iter()
        .filter_map(|text| text.parse().ok())
        .collect()
}

/// A namespace.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Namespace {
    /// Its name, with an empty namespace.
    pub key: Key,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl From<&core::Namespace> for Namespace {
    fn from(namespace: &core::Namespace) -> Self {
        let labels = namespace.metadata.labels.clone().unwrap_or_default();
        Self {
            key: key(&namespace.metadata),
            labels,
        }
    }
}

/// A machine; its labels say where it stands.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KubeNode {
    /// Its name, with an empty namespace.
    pub key: Key,
    /// `topology.kubernetes.io/region`.
    pub region: String,
    /// `topology.kubernetes.io/zone`.
    pub zone: String,
    /// `topology.istio.io/subzone`.
    pub subzone: String,
}

impl From<&core::Node> for KubeNode {
    fn from(node: &core::Node) -> Self {
        let label = |name| {
            node.metadata
                .labels
                .as_ref()
                .and_then(|all| all.get(name))
                .cloned()
                .unwrap_or_default()
        };
        Self {
            key: key(&node.metadata),
            region: label("topology.kubernetes.io/region"),
            zone: label("topology.kubernetes.io/zone"),
            subzone: label("topology.istio.io/subzone"),
        }
    }
}

/// Where a Service port leads to in a pod.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TargetPort {
    /// This port.
    Number(u16),
    /// The container port of this name.
    Name(String),
}

/// A port of a [`Service`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServicePort {
    /// Its name; empty if it has none.
    pub name: String,
    /// The port of the Service.
    pub number: u16,
    /// The port of the pods.
    pub target: TargetPort,
    /// `TCP`, `UDP` or `SCTP`.
    pub transport: String,
    /// `appProtocol`.
    pub app_protocol: Option<String>,
}

/// A Service.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Service {
    /// Its metadata.
    pub meta: Meta,
    /// Its addresses; none if it is headless or an `ExternalName`.
    pub cluster_ips: Vec<IpAddr>,
    /// The name it stands for, of type `ExternalName`.
    pub external_name: Option<String>,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// Labels of its pods; empty if somebody else writes its endpoints.
    pub selector: BTreeMap<String, String>,
}

impl From<&core::Service> for Service {
    fn from(service: &core::Service) -> Self {
        let spec = service.spec.clone().unwrap_or_default();
        let external = spec.type_.as_deref() == Some("ExternalName");
        let cluster_ips = spec.cluster_ips.or(spec.cluster_ip.map(|ip| vec![ip]));
        Self {
            meta: (&service.metadata).into(),
            cluster_ips: addresses(cluster_ips.iter().flatten()),
            external_name: spec.external_name.filter(|_| external),
            ports: spec.ports.iter().flatten().map(ServicePort::from).collect(),
            selector: spec.selector.unwrap_or_default(),
        }
    }
}

impl From<&core::ServicePort> for ServicePort {
    fn from(of: &core::ServicePort) -> Self {
        let target = match &of.target_port {
            Some(IntOrString::Int(0)) | None => TargetPort::Number(port(of.port)),
            Some(IntOrString::Int(number)) => TargetPort::Number(port(*number)),
            Some(IntOrString::String(name)) => TargetPort::Name(name.clone()),
        };
        Self {
            name: of.name.clone().unwrap_or_default(),
            number: port(of.port),
            target,
            transport: of.protocol.clone().unwrap_or_else(|| "TCP".into()),
            app_protocol: of.app_protocol.clone(),
        }
    }
}

/// One backend of an [`EndpointSlice`].
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SliceEndpoint {
    /// Its first address; the others are equal to it by definition.
    pub address: Option<IpAddr>,
    /// Takes new connections.
    pub ready: bool,
    /// Works, even if it is terminating.
    pub serving: bool,
    /// Is being stopped.
    pub terminating: bool,
    /// Pod behind it, in the slice's namespace.
    pub pod: Option<String>,
    /// Machine under it.
    pub node: Option<String>,
    /// Zone of that machine.
    pub zone: Option<String>,
}

/// A part of the endpoints of one Service.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EndpointSlice {
    /// Namespace and name of the slice.
    pub key: Key,
    /// Name of the Service, in the slice's namespace.
    pub service: String,
    /// Port by the name of the Service port.
    pub ports: BTreeMap<String, u16>,
    /// Backends.
    pub endpoints: Vec<SliceEndpoint>,
}

impl From<&discovery::EndpointSlice> for EndpointSlice {
    fn from(slice: &discovery::EndpointSlice) -> Self {
        let labels = slice.metadata.labels.as_ref();
        let service = labels.and_then(|all| all.get("kubernetes.io/service-name"));
        let named = |of: &discovery::EndpointPort| {
            Some((of.name.clone().unwrap_or_default(), port(of.port?)))
        };
        Self {
            key: key(&slice.metadata),
            service: service.cloned().unwrap_or_default(),
            ports: slice.ports.iter().flatten().filter_map(named).collect(),
            endpoints: slice.endpoints.iter().map(SliceEndpoint::from).collect(),
        }
    }
}

impl From<&discovery::Endpoint> for SliceEndpoint {
    fn from(endpoint: &discovery::Endpoint) -> Self {
        let conditions = endpoint.conditions.clone().unwrap_or_default();
        // Absent means yes for both (discovery.k8s.io EndpointConditions).
        let ready = conditions.ready.unwrap_or(true);
        let pod = endpoint
            .target_ref
            .as_ref()
            .filter(|of| of.kind.as_deref() == Some("Pod"));
        Self {
            address: addresses(&endpoint.addresses).first().copied(),
            ready,
            serving: conditions.serving.unwrap_or(ready),
            terminating: conditions.terminating.unwrap_or(false),
            pod: pod.and_then(|of| of.name.clone()),
            node: endpoint.node_name.clone(),
            zone: endpoint.zone.clone(),
        }
    }
}

/// A pod.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pod {
    /// Namespace and name.
    pub key: Key,
    /// Kubernetes' own id of it: another pod of the same name has another.
    pub uid: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Addresses; of several families if the cluster has them.
    pub ips: Vec<IpAddr>,
    /// Service account.
    pub service_account: String,
    /// Machine.
    pub node: String,
    /// Shares its addresses with its machine.
    pub host_network: bool,
    /// Has ended, so that its addresses may belong to another pod.
    pub finished: bool,
    /// Its condition `Ready` is not true: it takes no new work.
    pub unready: bool,
    /// Port by container port name, for Services that name their target.
    pub ports: BTreeMap<String, u16>,
    /// Kind and name of what made the pod.
    pub controller: Option<(String, String)>,
}

impl From<&core::Pod> for Pod {
    fn from(pod: &core::Pod) -> Self {
        let spec = pod.spec.clone().unwrap_or_default();
        let status = pod.status.clone().unwrap_or_default();
        let ips: Vec<String> = match status.pod_ips {
            Some(ips) => ips.into_iter().map(|each| each.ip).collect(),
            None => status.pod_ip.into_iter().collect(),
        };
        let named = |of: &core::ContainerPort| Some((of.name.clone()?, port(of.container_port)));
        let containers = spec
            .containers
            .iter()
            .chain(spec.init_containers.iter().flatten());
        let owner = pod
            .metadata
            .owner_references
            .iter()
            .flatten()
            .find(|o| o.controller == Some(true));
        Self {
            key: key(&pod.metadata),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            labels: pod.metadata.labels.clone().unwrap_or_default(),
            ips: addresses(&ips),
            service_account: spec
                .service_account_name
                .unwrap_or_else(|| "default".into()),
            node: spec.node_name.unwrap_or_default(),
            host_network: spec.host_network.unwrap_or(false),
            finished: matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")),
            unready: status
                .conditions
                .iter()
                .flatten()
                .any(|condition| condition.type_ == "Ready" && condition.status != "True"),
            ports: containers
                .flat_map(|c| c.ports.iter().flatten())
                .filter_map(named)
                .collect(),
            controller: owner.map(|owner| (owner.kind.clone(), owner.name.clone())),
        }
    }
}
