//! What a workload accepts under a Sidecar.

use super::{Ingress, Scope};
use crate::build::inbound::Lead;
use crate::host::Host;
use crate::inbound::Target;
use crate::objects::{Key, Pod};
use crate::protocol::Protocol;
use std::net::SocketAddr;

impl Scope {
    /// The ports of `pod`, to which Services have these `leads`.
    ///
    /// Ingress listeners stand for all of them. Limits of one port count before those of the whole.
    pub(crate) fn accepts(&self, mut leads: Vec<Lead>, pod: &Pod) -> Vec<Lead> {
        for lead in &mut leads {
            lead.pool.clone_from(&self.sidecar.pool);
        }
        if self.sidecar.ingress.is_empty() {
            return leads;
        }
        let ingress = self.sidecar.ingress.iter();
        ingress
            .flat_map(|each| self.listener(each, &leads, pod))
            .collect()
    }

    fn listener(&self, of: &Ingress, leads: &[Lead], pod: &Pod) -> Vec<Lead> {
        let known = leads.iter().filter(|lead| lead.number == of.number);
        let with_settings = |lead: Lead| Lead {
            protocol: of.protocol.unwrap_or(lead.protocol),
            endpoint: of.endpoint.map(|at| reachable(at, pod)),
            pool: of.pool.clone().or_else(|| self.sidecar.pool.clone()),
            ..lead
        };
        let known: Vec<_> = known.cloned().map(with_settings).collect();
        match known.is_empty() {
            true => vec![with_settings(self.unknown(of.number))],
            false => known,
        }
    }

    /// A port that no Service leads to is named after the Sidecar.
    fn unknown(&self, number: u16) -> Lead {
        let Key { namespace, name } = &self.sidecar.key;
        Lead {
            number,
            protocol: Protocol::Auto,
            target: Target {
                key: self.sidecar.key.clone(),
                host: Host::new(&format!("{name}.{namespace}")),
                port: number,
            },
            endpoint: None,
            pool: None,
        }
    }
}

/// "Any address" is the pod's own.
fn reachable(at: SocketAddr, pod: &Pod) -> SocketAddr {
    let own = pod.ips.iter().find(|ip| ip.is_ipv4() == at.is_ipv4());
    match own {
        Some(ip) if at.ip().is_unspecified() => SocketAddr::new(*ip, at.port()),
        _ => at,
    }
}
