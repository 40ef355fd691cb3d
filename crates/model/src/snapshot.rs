//! The whole mesh at one moment.

use crate::authorization::Authorization;
use crate::build::endpoints::{Sources, Workloads};
use crate::build::inbound::{Lead, inbound, selected, unselected};
use crate::build::scopes::{self, Scopes};
use crate::build::services;
use crate::gateway::{Edge, Gateways};
use crate::host::Host;
use crate::inbound::Inbound;
use crate::mesh::Mesh;
use crate::objects::{self, Key, Objects, Pod, Store};
use crate::peer::Peers;
use crate::problem::Problem;
use crate::routing::{Client, Known, Routing};
use crate::service::{Registry, Service};
use crate::sidecar::{Scope, Sidecars};
use crate::traffic::Traffic;
use crate::view::{Families, Node, Proxy, Role, View};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use weft_api::labels;

/// The mesh, computed from its objects. Never changed: a new one is built.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    mesh: Arc<Mesh>,
    pods: Store<Pod>,
    peers: Peers,
    authorization: Authorization,
    routing: Routing,
    traffic: Traffic,
    gateways: Gateways,
    /// The services that clients see.
    scopes: Scopes,
    /// What Sidecars leave of them.
    sidecars: Sidecars,
    /// Services with a selector by namespace, the oldest first.
    selecting: BTreeMap<String, Vec<Arc<objects::Service>>>,
    /// What Services without selector lead to, by address of a pod.
    leads: BTreeMap<IpAddr, Vec<Lead>>,
    /// The addresses that hosts of ServiceEntries were given, by object.
    automatic: BTreeMap<Key, Vec<(Host, IpAddr)>>,
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
        let (gateways, found) = Gateways::build(objects);
        problems.extend(found);
        let known = known(&services, &traffic, &gateways);
        let (routing, found) = Routing::build(&mesh, objects, &known);
        problems.extend(found);
        let scopes = Scopes::of(&services);
        problems.extend(scopes::conflicts(&services));
        let (sidecars, found) = Sidecars::build(&mesh, objects, &scopes, &routing);
        problems.extend(found);
        problems.sort();
        let snapshot = Self {
            pods: objects.pods.clone(),
            selecting: selecting(objects),
            leads: leads(objects, &services),
            automatic: automatic(&services),
            mesh: Arc::new(mesh),
            peers,
            authorization,
            routing,
            traffic,
            gateways,
            scopes,
            sidecars,
        };
        (snapshot, problems)
    }

    /// Settings that count for every proxy.
    pub fn mesh(&self) -> &Mesh {
        &self.mesh
    }

    /// The addresses that hosts of ServiceEntries were given, by object.
    pub fn automatic_addresses(&self) -> &BTreeMap<Key, Vec<(Host, IpAddr)>> {
        &self.automatic
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
        let namespace = &node.namespace;
        let edge = self.edge(node);
        let own = edge.as_ref().map(Edge::keys);
        // Sidecars are not for proxies at the edge.
        let scope = self.sidecars.of(namespace, &pod.labels);
        let scope = scope.filter(|_| edge.is_none());
        let all = || self.scopes.seen(namespace).clone();
        let destinations = scope.map_or_else(all, |scope| scope.destinations.clone());
        let mut routing = self.routing.seen(&Client {
            namespace,
            labels: &pod.labels,
            gateways: own.as_ref(),
        });
        routing.retain(|service| scope.is_none_or(|scope| scope.imports(namespace, service)));
        View {
            mesh: self.mesh.clone(),
            proxy: match node.metadata.contains_key("WEFT_VERSION") {
                true => Proxy::Weft,
                false => Proxy::Envoy,
            },
            namespace: namespace.clone(),
            families: Families::of(&pod.ips),
            services: scope.map_or_else(all, |scope| scope.services.clone()),
            bound: scope.map_or_else(Arc::default, |scope| scope.bound.clone()),
            unknown: scope
                .and_then(|scope| scope.sidecar.unknown.clone())
                .unwrap_or_else(|| self.mesh.outbound.into()),
            captures_dns: node
                .metadata
                .get("DNS_CAPTURE")
                .is_some_and(|is| is == "true"),
            routing,
            traffic: self.traffic.seen(namespace, &destinations),
            destinations,
            authorization: self.authorization.of(namespace, &pod.labels),
            inbound: match edge {
                None => Arc::new(self.inbound(&pod, scope)),
                Some(_) => Arc::default(),
            },
            edge: edge.map(Arc::new),
        }
    }

    /// What a proxy at the edge does: nothing, unless its pod is known and labelled for it.
    fn edge(&self, node: &Node) -> Option<Edge> {
        match node.role {
            Role::Sidecar => None,
            Role::Router => {
                let pod = self.pod(&Key::new(&node.namespace, &node.pod));
                let pod = pod.filter(|pod| pod.labels.contains_key(labels::GATEWAY));
                let edge = pod.map(|pod| self.gateways.edge(pod, &self.leads_to(pod)));
                Some(edge.unwrap_or_default())
            }
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

    fn leads_to(&self, pod: &Pod) -> Vec<Lead> {
        let services = self.selecting.get(&pod.key.namespace).into_iter().flatten();
        let mut leads: Vec<_> = services
            .flat_map(|service| selected(&self.mesh, service, pod))
            .collect();
        let by_address = pod.ips.iter().filter_map(|ip| self.leads.get(ip));
        // Nobody decides what pods of another namespace accept.
        let own = |lead: &&Lead| lead.target.key.namespace == pod.key.namespace;
        leads.extend(by_address.flatten().filter(own).cloned());
        leads
    }

    fn inbound(&self, pod: &Pod, scope: Option<&Scope>) -> Inbound {
        let leads = self.leads_to(pod);
        let policy = self.peers.policy(&pod.key.namespace, &pod.labels);
        match scope {
            Some(scope) => inbound(scope.accepts(leads, pod), &policy),
            None => inbound(leads, &policy),
        }
    }
}

/// What VirtualServices can name.
fn known(services: &[Arc<Service>], traffic: &Traffic, gateways: &Gateways) -> Known {
    let with_subsets =
        |service: &Arc<Service>| (service.host.clone(), traffic.subsets(&service.host));
    Known {
        services: services.iter().map(with_subsets).collect(),
        gateways: gateways.keys(),
    }
}

fn automatic(services: &[Arc<Service>]) -> BTreeMap<Key, Vec<(Host, IpAddr)>> {
    let mut by_object: BTreeMap<Key, Vec<(Host, IpAddr)>> = BTreeMap::new();
    for service in services {
        let Registry::Entry { name, .. } = &service.registry else {
            continue;
        };
        let given = service.automatic.iter();
        let given: Vec<_> = given.map(|ip| (service.host.clone(), *ip)).collect();
        if !given.is_empty() {
            let object = Key::new(&service.key.namespace, name);
            by_object.entry(object).or_default().extend(given);
        }
    }
    by_object
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
    let inside = services.iter().filter(|service| !service.external);
    let without = inside.filter(|service| !has_selector(service));
    for (address, lead) in without.flat_map(|service| unselected(service)) {
        by_address.entry(address).or_default().push(lead);
    }
    by_address
}
