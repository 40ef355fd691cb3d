//! Endpoints of a Service from its slices.

use crate::endpoint::{Endpoint, Health, Place, Tls};
use crate::objects::kubernetes::SliceEndpoint;
use crate::objects::{EndpointSlice, Key, Objects};
use crate::peer::Peers;
use crate::workload::{Locality, Workload};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use weft_api::settings::MtlsMode;

/// The pods of the mesh, by name and by address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Workloads {
    by_key: BTreeMap<Key, Arc<Workload>>,
    by_ip: BTreeMap<IpAddr, Arc<Workload>>,
}

impl Workloads {
    pub(crate) fn of(objects: &Objects) -> Self {
        let mut all = Self::default();
        for pod in objects.pods.values().filter(|pod| !pod.finished) {
            let workload = Arc::new(Workload::of(pod, &objects.nodes));
            // A machine's address stands for many pods.
            let own = pod.ips.iter().filter(|_| !pod.host_network);
            all.by_ip.extend(own.map(|ip| (*ip, workload.clone())));
            all.by_key.insert(pod.key.clone(), workload);
        }
        all
    }

    fn behind(&self, endpoint: &SliceEndpoint, namespace: &str) -> Option<Arc<Workload>> {
        let named = endpoint.pod.as_ref().map(|pod| Key::new(namespace, pod));
        let by_name = named.and_then(|key| self.by_key.get(&key));
        by_name.or(self.by_ip.get(&endpoint.address?)).cloned()
    }
}

/// What endpoints are computed from.
pub(crate) struct Sources<'a> {
    pub(crate) objects: &'a Objects,
    pub(crate) workloads: &'a Workloads,
    pub(crate) peers: &'a Peers,
}

impl Sources<'_> {
    /// The endpoints of the Service port `port` in `slices`, addresses of `first` family first.
    pub(crate) fn endpoints(
        &self,
        slices: &[&EndpointSlice],
        port: &str,
        ipv6_first: bool,
    ) -> Vec<Endpoint> {
        // A pod stands in one slice for each family.
        let mut found: BTreeMap<(String, u16), Endpoint> = BTreeMap::new();
        for slice in slices {
            let Some(number) = slice.ports.get(port).copied().filter(|port| *port != 0) else {
                continue;
            };
            for of in &slice.endpoints {
                let Some(endpoint) = self.endpoint(of, slice, number) else {
                    continue;
                };
                let name = of.pod.clone();
                let name = name.unwrap_or_else(|| endpoint.address(&[]));
                let key = (name, number);
                match found.get_mut(&key) {
                    Some(same_pod) => merge(same_pod, endpoint),
                    None => drop(found.insert(key, endpoint)),
                }
            }
        }
        let mut endpoints: Vec<_> = found.into_values().collect();
        for endpoint in &mut endpoints {
            if let Place::Addresses(addresses) = &mut endpoint.place {
                addresses.sort_by_key(|ip| (ip.is_ipv6() != ipv6_first, *ip));
                addresses.dedup();
            }
        }
        endpoints.sort();
        serve_to_the_last(&mut endpoints);
        endpoints
    }

    fn endpoint(&self, of: &SliceEndpoint, slice: &EndpointSlice, port: u16) -> Option<Endpoint> {
        let workload = self.workloads.behind(of, &slice.key.namespace);
        Some(Endpoint {
            place: Place::Addresses(vec![of.address?]),
            port,
            health: health(of)?,
            tls: workload.as_ref().map_or(Tls::None, |w| self.tls(w, port)),
            locality: self.locality(of, workload.as_deref()),
            weight: 1,
            workload,
        })
    }

    fn tls(&self, workload: &Workload, port: u16) -> Tls {
        match workload.speaks_mtls() {
            true => self.accepted(workload, port),
            false => Tls::None,
        }
    }

    /// What a workload that has a proxy accepts on its port.
    pub(crate) fn accepted(&self, workload: &Workload, port: u16) -> Tls {
        let policy = self.peers.policy(&workload.namespace, &workload.labels);
        match policy.on(port) {
            MtlsMode::Disable => Tls::None,
            MtlsMode::Permissive => Tls::Offered,
            MtlsMode::Strict => Tls::Required,
        }
    }

    fn locality(&self, of: &SliceEndpoint, workload: Option<&Workload>) -> Locality {
        match (&of.node, workload) {
            (Some(node), _) => Locality::of(node, &self.objects.nodes),
            (None, Some(workload)) => workload.locality.clone(),
            (None, None) => Locality {
                zone: of.zone.clone().unwrap_or_default(),
                ..Locality::default()
            },
        }
    }
}

fn health(of: &SliceEndpoint) -> Option<Health> {
    match (of.ready, of.serving && of.terminating) {
        (true, _) => Some(Health::Ready),
        (false, true) => Some(Health::Draining),
        (false, false) => None,
    }
}

fn merge(into: &mut Endpoint, other: Endpoint) {
    if let (Place::Addresses(all), Place::Addresses(more)) = (&mut into.place, other.place) {
        all.extend(more);
    }
    into.health = into.health.min(other.health);
}

/// While nothing else is there, what is ending still serves, as with kube-proxy (KEP-1669).
fn serve_to_the_last(endpoints: &mut [Endpoint]) {
    if endpoints.iter().all(|each| each.health == Health::Draining) {
        for each in endpoints {
            each.health = Health::Ready;
        }
    }
}
