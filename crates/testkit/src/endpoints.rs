//! The EndpointSlices that Kubernetes would make.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use weft_api::networking::selector::selects;
use weft_model::objects::kubernetes::{SliceEndpoint, TargetPort};
use weft_model::objects::{EndpointSlice, Pod, Service};
use weft_model::{Key, Objects};

/// Adds slices of the Services with a selector that have none; every pod with an address is ready.
pub fn fill_in(objects: &mut Objects) {
    let slices = objects.endpoint_slices.values();
    let served: BTreeSet<Key> = slices
        .map(|slice| Key::new(&slice.key.namespace, &slice.service))
        .collect();
    let mut made = Vec::new();
    for service in objects.services.values() {
        if service.selector.is_empty() || served.contains(&service.meta.key) {
            continue;
        }
        for pod in objects.pods.values() {
            let same_namespace = pod.key.namespace == service.meta.key.namespace;
            if same_namespace && !pod.finished && selects(&service.selector, &pod.labels) {
                made.extend(pod.ips.iter().map(|ip| slice(service, pod, *ip)));
            }
        }
    }
    let made = made
        .into_iter()
        .map(|slice| (slice.key.clone(), Arc::new(slice)));
    objects.endpoint_slices.extend(made);
}

fn slice(service: &Service, pod: &Pod, ip: IpAddr) -> EndpointSlice {
    let Key { namespace, name } = &service.meta.key;
    let mut ports = BTreeMap::new();
    for port in &service.ports {
        let number = match &port.target {
            TargetPort::Number(number) => Some(*number),
            TargetPort::Name(name) => pod.ports.get(name).copied(),
        };
        ports.extend(number.map(|number| (port.name.clone(), number)));
    }
    EndpointSlice {
        key: Key::new(namespace, format!("{name}-{}-{ip}", pod.key.name)),
        service: name.clone(),
        ports,
        endpoints: vec![SliceEndpoint {
            address: Some(ip),
            ready: true,
            serving: true,
            terminating: false,
            pod: Some(pod.key.name.clone()),
            node: Some(pod.node.clone()),
            zone: None,
        }],
    }
}
