//! What a workload accepts, from the Services that lead to it.

use super::services::{carried, host, protocol};
use crate::inbound::{Inbound, InboundPort, Target};
use crate::mesh::Mesh;
use crate::objects::kubernetes::TargetPort;
use crate::objects::{self, Pod};
use crate::peer::Policy;
use crate::protocol::Protocol;
use crate::service::Service;
use crate::traffic::Pool;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use weft_api::networking::selector::selects;

/// A Service port that leads to port `number` of a pod.
#[derive(Clone, Debug)]
pub(crate) struct Lead {
    pub(crate) number: u16,
    pub(crate) protocol: Protocol,
    pub(crate) target: Target,
    /// Where the application listens, if not there.
    pub(crate) endpoint: Option<SocketAddr>,
    /// Limits of connections to the application.
    pub(crate) pool: Option<Pool>,
}

/// What the proxy of a pod accepts, where `leads` are in the order of age of their Services.
pub(crate) fn inbound(leads: Vec<Lead>, policy: &Policy) -> Inbound {
    let mut ports: BTreeMap<u16, InboundPort> = BTreeMap::new();
    for lead in leads {
        let port = ports.entry(lead.number).or_insert_with(|| InboundPort {
            number: lead.number,
            protocol: lead.protocol,
            mtls: policy.on(lead.number),
            services: Vec::new(),
            endpoint: lead.endpoint,
            pool: lead.pool,
        });
        if !port.services.contains(&lead.target) {
            port.services.push(lead.target);
        }
    }
    let unlisted = policy
        .ports
        .iter()
        .filter(|(port, _)| !ports.contains_key(port));
    Inbound {
        overrides: unlisted.map(|(port, mode)| (*port, *mode)).collect(),
        mtls: policy.mode,
        ports: ports.into_values().collect(),
    }
}

/// The ports of `service` that lead to `pod`, if it selects it.
pub(crate) fn selected(mesh: &Mesh, service: &objects::Service, pod: &Pod) -> Vec<Lead> {
    let selects = !service.selector.is_empty() && selects(&service.selector, &pod.labels);
    if !selects || service.external_name.is_some() {
        return Vec::new();
    }
    let key = &service.meta.key;
    let leads = carried(service).filter_map(|port| {
        let number = match &port.target {
            TargetPort::Number(number) => *number,
            TargetPort::Name(name) => *pod.ports.get(name)?,
        };
        Some(Lead {
            number,
            protocol: protocol(port),
            target: Target {
                key: key.clone(),
                host: host(mesh, key),
                port: port.number,
            },
            endpoint: None,
            pool: None,
        })
    });
    leads.collect()
}

/// The ports of a Service without selector that lead to pods, by a pod's first address.
pub(crate) fn unselected(service: &Service) -> Vec<(std::net::IpAddr, Lead)> {
    let endpoints = service.ports.iter().flat_map(|port| {
        let pods = port.endpoints.iter().filter(|each| each.workload.is_some());
        pods.map(move |endpoint| (port, endpoint))
    });
    endpoints
        .filter_map(|(port, endpoint)| {
            let target = Target {
                key: service.key.clone(),
                host: service.host.clone(),
                port: port.number,
            };
            let lead = Lead {
                number: endpoint.port,
                protocol: port.protocol,
                target,
                endpoint: None,
                pool: None,
            };
            Some((*endpoint.addresses().first()?, lead))
        })
        .collect()
}
