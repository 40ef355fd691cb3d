//! NDS: what a proxy answers to the DNS queries of its application.

use std::collections::BTreeMap;
use weft_model::View;
use weft_model::service::{Registry, Service};
use weft_proto::istio::{NameInfo, NameTable};

/// The one resource of its type.
pub(crate) const NAME: &str = "names";

/// The names of all services that have addresses.
///
/// Those of headless Services change with every pod, and their pods have names too: the cluster's own
/// DNS knows them best.
pub(crate) fn table(view: &View) -> NameTable {
    let named = view.services.iter().filter_map(|service| {
        let host = service.host.trim_end_matches('.').to_owned();
        Some((host, info(view, service)?))
    });
    let mut table: BTreeMap<String, NameInfo> = named.collect();
    for service in view.services.iter() {
        for (_, alias) in &service.aliases {
            if let Some(known) = table.get(service.host.trim_end_matches('.')).cloned() {
                table.entry(alias.to_string()).or_insert(known);
            }
        }
    }
    NameTable { table }
}

fn info(view: &View, service: &Service) -> Option<NameInfo> {
    let addresses = view.addresses(service);
    let ips: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    let known = match &service.registry {
        Registry::Kubernetes => NameInfo {
            ips,
            registry: "Kubernetes".to_owned(),
            shortname: service.key.name.clone(),
            namespace: service.key.namespace.clone(),
        },
        Registry::Entry { .. } => NameInfo {
            ips,
            registry: "External".to_owned(),
            ..NameInfo::default()
        },
    };
    (!known.ips.is_empty()).then_some(known)
}
