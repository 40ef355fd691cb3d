//! The whole mesh at one moment.

use crate::authorization::Authorization;
use crate::build::endpoints::{Sources, Workloads};
use crate::build::inbound::{Lead, inbound, selected, unselected};
use crate::build::services;
use crate::inbound::Inbound;
use crate::mesh::Mesh;
use crate::objects::{self, Key, Objects, Pod, Store};
use crate::peer::Peers;
use crate::problem::Problem;
use crate::routing::{Client, Known, Routing};
use crate::service::Service;
use crate::traffic::Traffic;
use crate::view::{Families, Node, Proxy, View};
use crate::visibility::Visibility;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

type Services = Arc<Vec<Arc<Service>>>;

/// The mesh, computed from its objects. Never changed: a new one is built.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    mesh: Arc<Mesh>,
    pods: Store<Pod>,
    peers: Peers,
    authorization: Authorization,
    routing: Routing,
    traffic: Traffic,
    /// Services that everyone sees, and the lists of the namespaces that see more.
    public: Services,
    scoped: BTreeMap<String, Services>,
    /// Services with a selector by namespace, the oldest first.
    selecting: BTreeMap<String, Vec<Arc<objects::Service>>>,
    /// What Services without selector lead to, by address of a pod.
    leads: BTreeMap<IpAddr, Vec<Lead>>,
}

impl Snapshot {
    /// The mesh that `objects` describe, and what is wrong with them.
    ///
    /// A faulty object costs its own effect, never another's.
    pub fn build(objects: &Objects) -> (Self, Vec<Problem>) {
        let mesh = Mesh::from(&*objects.settings);
        let (peers, mut problems) = Peers::build(&mesh, objects);
        let workloads = Workloads::of(objects);
        let sources = Sources {
            objects,
            workloads: &workloads,
            peers: &peers,
        };
        let (services, found) = services::all(&mesh, &sources);
        problems.extend(found);
        let (authorization, found) = Authorization::build(&mesh, objects);
        problems.extend(found);
        let (traffic, found) = Traffic::build(&mesh, objects);
        problems.extend(found);
        let known = known(&services, &traffic);
        let (routing, found) = Routing::build(&mesh, objects, &known);
        problems.extend(found);
        problems.sort();
        let (public, scoped) = scopes(&services);
        let snapshot = Self {
            pods: objects.pods.clone(),
            selecting: selecting(objects),
            leads: leads(objects, &services),
            mesh: Arc::new(mesh),
            peers,
            authorization,
            routing,
            traffic,
            public,
            scoped,
        };
        (snapshot, problems)
    }

    /// Settings that count for every proxy.
    pub fn mesh(&self) -> &Mesh {
        &self.mesh
    }

    /// The pod of this name, if it is known and has not ended.
    pub fn pod(&self, key: &Key) -> Option<&Pod> {
        self.pods
            .get(key)
            .map(|pod| &**pod)
            .filter(|pod| !pod.finished)
    }

    /// What the proxy `node` sees.
    pub fn view(&self, node: &Node) -> View {
        let pod = self.known_or_said(node);
        let services = self.scoped.get(&node.namespace).unwrap_or(&self.public);
        View {
            mesh: self.mesh.clone(),
            proxy: match node.metadata.contains_key("WEFT_VERSION") {
                true => Proxy::Weft,
                false => Proxy::Envoy,
            },
            namespace: node.namespace.clone(),
            families: Families::of(&pod.ips),
            services: services.clone(),
            routing: self.routing.seen(&Client {
                namespace: &node.namespace,
                labels: &pod.labels,
                gateways: None,
            }),
            traffic: self.traffic.seen(&node.namespace, services),
            authorization: self.authorization.of(&node.namespace, &pod.labels),
            inbound: Arc::new(self.inbound(&pod)),
        }
    }

    fn known_or_said(&self, node: &Node) -> Pod {
        let key = Key::new(&node.namespace, &node.pod);
        let mut pod = self.pod(&key).cloned().unwrap_or_else(|| Pod {
            key,
            labels: node.labels.clone(),
            ..Pod::default()
        });
        if pod.ips.is_empty() {
            pod.ips.clone_from(&node.ips);
        }
        pod
    }

    fn inbound(&self, pod: &Pod) -> Inbound {
        let services = self.selecting.get(&pod.key.namespace).into_iter().flatten();
        let mut leads: Vec<_> = services
            .flat_map(|service| selected(&self.mesh, service, pod))
            .collect();
        let by_address = pod.ips.iter().filter_map(|ip| self.leads.get(ip));
        leads.extend(by_address.flatten().cloned());
        let policy = self.peers.policy(&pod.key.namespace, &pod.labels);
        inbound(leads, &policy)
    }
}

/// What VirtualServices can name.
fn known(services: &[Arc<Service>], traffic: &Traffic) -> Known {
    let with_subsets =
        |service: &Arc<Service>| (service.host.clone(), traffic.subsets(&service.host));
    Known {
        services: services.iter().map(with_subsets).collect(),
        ..Known::default()
    }
}

fn scopes(services: &[Arc<Service>]) -> (Services, BTreeMap<String, Services>) {
    let mut public = Vec::new();
    let mut own: BTreeMap<&String, Vec<Arc<Service>>> = BTreeMap::new();
    for service in services {
        match &service.visibility {
            Visibility::Everywhere => public.push(service.clone()),
            Visibility::Namespaces(namespaces) => {
                for namespace in namespaces {
                    own.entry(namespace).or_default().push(service.clone());
                }
            }
        }
    }
    let with_public = |(namespace, mut own): (&String, Vec<Arc<Service>>)| {
        own.extend(public.iter().cloned());
        own.sort_by(|a, b| a.key.cmp(&b.key));
        (namespace.clone(), Arc::new(own))
    };
    let scoped = own.into_iter().map(with_public).collect();
    (Arc::new(public), scoped)
}

fn selecting(objects: &Objects) -> BTreeMap<String, Vec<Arc<objects::Service>>> {
    let mut by_namespace: BTreeMap<String, Vec<Arc<objects::Service>>> = BTreeMap::new();
    for service in objects.services.values() {
        if !service.selector.is_empty() {
            let namespace = service.meta.key.namespace.clone();
            by_namespace
                .entry(namespace)
                .or_default()
                .push(service.clone());
        }
    }
    for services in by_namespace.values_mut() {
        services.sort_by_key(|service| service.meta.created);
    }
    by_namespace
}

fn leads(objects: &Objects, services: &[Arc<Service>]) -> BTreeMap<IpAddr, Vec<Lead>> {
    let mut by_address: BTreeMap<IpAddr, Vec<Lead>> = BTreeMap::new();
    let has_selector = |service: &Arc<Service>| {
        let object = objects.services.get(&service.key);
        object.is_some_and(|object| !object.selector.is_empty())
    };
    let without = services.iter().filter(|service| !has_selector(service));
    for (address, lead) in without.flat_map(|service| unselected(service)) {
        by_address.entry(address).or_default().push(lead);
    }
    by_address
}
