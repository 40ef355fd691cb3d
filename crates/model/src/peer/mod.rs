//! PeerAuthentication: which connections each workload accepts.
//!
//! Three levels, the nearer one wins: the mesh (an object without selector in the root namespace),
//! a namespace (without selector), a workload (with selector), and there single ports. Of two
//! objects on one level the older counts. Source: Istio `pilot/pkg/security/authn`.

mod check;

use crate::mesh::Mesh;
use crate::objects::{Config, Objects};
use crate::problem::Problem;
use std::collections::BTreeMap;
use std::sync::Arc;
use weft_api::networking::selector::selects;
use weft_api::security::{MutualTlsMode, PeerAuthenticationSpec};
use weft_api::settings::MtlsMode;

type PeerAuthentication = Arc<Config<PeerAuthenticationSpec>>;

/// The PeerAuthentications of the mesh, by the level on which they count.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    mesh: MtlsMode,
    namespaces: BTreeMap<String, MtlsMode>,
    /// Those with a selector, by namespace, the oldest first.
    workloads: BTreeMap<String, Vec<PeerAuthentication>>,
}

/// What one workload accepts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Policy {
    /// On all ports without their own mode.
    pub mode: MtlsMode,
    /// By port of the pod.
    pub ports: BTreeMap<u16, MtlsMode>,
}

impl Policy {
    /// What is accepted on this port.
    pub fn on(&self, port: u16) -> MtlsMode {
        self.ports.get(&port).copied().unwrap_or(self.mode)
    }
}

impl Peers {
    /// The policies in `objects`, and what is wrong with them.
    pub fn build(mesh: &Mesh, objects: &Objects) -> (Self, Vec<Problem>) {
        let mut sorted: Vec<_> = objects.peer_authentications.values().collect();
        sorted.sort_by_key(|object| object.age());
        let (selecting, general): (Vec<_>, Vec<_>) =
            sorted.into_iter().partition(|object| has_selector(object));

        let mut peers = Self {
            mesh: mesh.mtls,
            ..Self::default()
        };
        let mut problems = check::each(mesh, objects);
        problems.extend(peers.add_general(mesh, &general));
        for object in selecting {
            let namespace = &object.meta.key.namespace;
            if *namespace != mesh.root_namespace {
                let level = peers.workloads.entry(namespace.clone()).or_default();
                level.push(object.clone());
            }
        }
        problems.extend(check::overlaps(&peers.workloads, objects));
        (peers, problems)
    }

    fn add_general(&mut self, mesh: &Mesh, oldest_first: &[&PeerAuthentication]) -> Vec<Problem> {
        let mut winners: BTreeMap<&str, &PeerAuthentication> = BTreeMap::new();
        let mut problems = Vec::new();
        for object in oldest_first {
            let namespace = object.meta.key.namespace.as_str();
            match winners.get(namespace) {
                Some(winner) => problems.push(check::conflict(object, winner, "its namespace")),
                None => drop(winners.insert(namespace, object)),
            }
        }
        for (namespace, winner) in winners {
            let Some(mode) = mode(winner.spec.mtls.map(|mtls| mtls.mode)) else {
                continue;
            };
            match namespace == mesh.root_namespace {
                true => self.mesh = mode,
                false => drop(self.namespaces.insert(namespace.to_owned(), mode)),
            }
        }
        problems
    }

    /// What a workload with these labels accepts.
    pub fn policy(&self, namespace: &str, labels: &BTreeMap<String, String>) -> Policy {
        let general = self.namespaces.get(namespace).copied();
        let general = general.unwrap_or(self.mesh);
        let mut objects = self.workloads.get(namespace).into_iter().flatten();
        let Some(object) = objects.find(|object| selects(wanted(object), labels)) else {
            return Policy {
                mode: general,
                ports: BTreeMap::new(),
            };
        };
        let own = mode(object.spec.mtls.map(|mtls| mtls.mode)).unwrap_or(general);
        let ports = object
            .spec
            .port_level_mtls
            .iter()
            .filter_map(|(port, mtls)| {
                let port = check::port(port)?;
                Some((port, mode(Some(mtls.mode)).unwrap_or(own)))
            });
        Policy {
            mode: own,
            ports: ports.collect(),
        }
    }
}

fn mode(stated: Option<MutualTlsMode>) -> Option<MtlsMode> {
    match stated? {
        MutualTlsMode::Unset => None,
        MutualTlsMode::Disable => Some(MtlsMode::Disable),
        MutualTlsMode::Permissive => Some(MtlsMode::Permissive),
        MutualTlsMode::Strict => Some(MtlsMode::Strict),
    }
}

fn has_selector(object: &PeerAuthentication) -> bool {
    !wanted(object).is_empty()
}

fn wanted(object: &PeerAuthentication) -> &BTreeMap<String, String> {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    let selector = object.spec.selector.as_ref();
    selector.map_or(&NONE, |selector| &selector.match_labels)
}
