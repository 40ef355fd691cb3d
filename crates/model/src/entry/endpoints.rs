//! Who serves a port of a ServiceEntry, and which WorkloadEntries serve one of a Service.

use super::{Backends, Entry, EntryPort, check};
use crate::build::endpoints::Sources;
use crate::endpoint::{Endpoint, Health, Place, Tls};
use crate::host::Host;
use crate::objects::kubernetes::{ServicePort, TargetPort};
use crate::objects::{Config, Key, Pod, Service, in_namespace};
use crate::problem::{Problem, Severity};
use crate::service::Resolution;
use crate::workload::{Locality, Workload};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use weft_api::labels;
use weft_api::networking::WorkloadEntrySpec;
use weft_api::networking::selector::selects;

/// The endpoints of `port` of `entry` under the name `host`.
pub(super) fn endpoints(
    sources: &Sources,
    entry: &Entry,
    port: &EntryPort,
    host: &Host,
) -> Vec<Endpoint> {
    let mut found = match (&entry.backends, entry.resolution) {
        (_, Resolution::Original) => Vec::new(),
        (Backends::Hosts, _) => vec![itself(entry, port, host)],
        (Backends::Listed(listed), _) => listed
            .iter()
            .enumerate()
            .map(|(index, spec)| {
                let key = Key::new(&entry.key.namespace, format!("{}-{index}", entry.key.name));
                of_workload(sources, (&key, spec), port, entry.external)
            })
            .collect(),
        (Backends::Selected(labels), _) => selected(sources, entry, port, labels),
    };
    found.sort();
    found
}

/// The host, for DNS to resolve.
fn itself(entry: &Entry, port: &EntryPort, host: &Host) -> Endpoint {
    let workload = Workload {
        namespace: entry.key.namespace.clone(),
        name: entry.key.name.clone(),
        ..Workload::default()
    };
    Endpoint {
        place: Place::Name(host.trim_end_matches('.').into()),
        port: port.target,
        health: Health::Ready,
        tls: Tls::None,
        locality: Locality::default(),
        weight: 1,
        workload: Some(Arc::new(workload)),
    }
}

fn selected(
    sources: &Sources,
    entry: &Entry,
    port: &EntryPort,
    labels: &BTreeMap<String, String>,
) -> Vec<Endpoint> {
    let namespace = &entry.key.namespace;
    let workloads = in_namespace(&sources.objects.workload_entries, namespace);
    let workloads = workloads.filter(|object| {
        selects(labels, &with_meta(object))
            && check::workload("spec", &object.spec, entry.resolution).is_ok()
    });
    let workloads = workloads.map(|object| {
        let spec = WorkloadEntrySpec {
            labels: with_meta(object),
            ..object.spec.clone()
        };
        of_workload(sources, (&object.meta.key, &spec), port, entry.external)
    });
    let pods = in_namespace(&sources.objects.pods, namespace).filter(|pod| {
        let serves = !pod.finished && !pod.unready && !pod.ips.is_empty();
        serves && selects(labels, &pod.labels)
    });
    let pods = pods.map(|pod| of_pod(sources, pod, port.target, entry.external));
    workloads.chain(pods).collect()
}

/// WorkloadEntries that only DNS could find, for a ServiceEntry that does not ask it.
pub(super) fn names_without_dns(sources: &Sources, entry: &Entry) -> Vec<Problem> {
    let (Backends::Selected(labels), Resolution::Known) = (&entry.backends, entry.resolution)
    else {
        return Vec::new();
    };
    let objects = in_namespace(&sources.objects.workload_entries, &entry.key.namespace);
    let unusable = objects.filter(|object| {
        selects(labels, &with_meta(object))
            && check::workload("spec", &object.spec, Resolution::Dns).is_ok()
            && check::workload("spec", &object.spec, Resolution::Known).is_err()
    });
    unusable
        .map(|object| Problem {
            object: check::workload_reference(&object.meta.key),
            field: "spec.address".into(),
            reason: "NotApplied",
            message: format!(
                "`{}` is a name, and ServiceEntry {}/{} has resolution STATIC",
                object.spec.address, entry.key.namespace, entry.key.name
            ),
            remedy: "write an IP address, or give the ServiceEntry resolution DNS".into(),
            severity: Severity::Error,
        })
        .collect()
}

/// The labels of the object count too, those of the spec before them.
fn with_meta(object: &Config<WorkloadEntrySpec>) -> BTreeMap<String, String> {
    let mut labels = object.meta.labels.clone();
    labels.extend(object.spec.labels.clone());
    labels
}

fn of_pod(sources: &Sources, pod: &Pod, port: u16, external: bool) -> Endpoint {
    let workload = Workload::of(pod, &sources.objects.nodes);
    let tls = match !external && workload.speaks_mtls() {
        true => sources.accepted(&workload, port),
        false => Tls::None,
    };
    Endpoint {
        place: Place::Addresses(pod.ips.clone()),
        port,
        health: Health::Ready,
        tls,
        locality: workload.locality.clone(),
        weight: 1,
        workload: Some(Arc::new(workload)),
    }
}

fn of_workload(
    sources: &Sources,
    of: (&Key, &WorkloadEntrySpec),
    port: &EntryPort,
    external: bool,
) -> Endpoint {
    let own = of.1.ports.get(&port.name);
    let number = own.and_then(|port| u16::try_from(*port).ok());
    endpoint(sources, of, number.unwrap_or(port.target), external)
}

fn endpoint(
    sources: &Sources,
    (key, spec): (&Key, &WorkloadEntrySpec),
    port: u16,
    external: bool,
) -> Endpoint {
    let ip = spec.address.parse::<IpAddr>().ok();
    let workload = Workload {
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        service_account: spec.service_account.clone(),
        labels: spec.labels.clone(),
        ips: ip.into_iter().collect(),
        locality: locality(&spec.locality),
    };
    // Whoever has an account has a proxy too, unless a label says otherwise.
    let proxied = match spec.labels.contains_key(labels::TLS_MODE) {
        true => workload.speaks_mtls(),
        false => !spec.service_account.is_empty(),
    };
    let tls = match proxied && !external {
        true => sources.accepted(&workload, port),
        false => Tls::None,
    };
    Endpoint {
        place: match ip {
            Some(ip) => Place::Addresses(vec![ip]),
            None => Place::Name(spec.address.as_str().into()),
        },
        port,
        health: Health::Ready,
        tls,
        locality: workload.locality.clone(),
        weight: spec.weight.filter(|weight| *weight != 0).unwrap_or(1),
        workload: Some(Arc::new(workload)),
    }
}

/// `region/zone/sub-zone`.
fn locality(text: &str) -> Locality {
    let mut parts = text.splitn(3, '/').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    Locality {
        region: next(),
        zone: next(),
        subzone: next(),
    }
}

/// The WorkloadEntries that a Service of Kubernetes selects, on one of its ports.
pub(crate) fn of_service(
    sources: &Sources,
    service: &Service,
    port: &ServicePort,
) -> Vec<Endpoint> {
    if service.selector.is_empty() {
        return Vec::new();
    }
    let namespace = &service.meta.key.namespace;
    let objects = in_namespace(&sources.objects.workload_entries, namespace);
    let selected = objects.filter(|object| {
        selects(&service.selector, &with_meta(object))
            && check::workload("spec", &object.spec, Resolution::Known).is_ok()
    });
    let endpoint = |object: &Arc<Config<WorkloadEntrySpec>>| {
        let ports = &object.spec.ports;
        let own = ports.get(&port.name).or_else(|| match &port.target {
            TargetPort::Name(name) => ports.get(name),
            TargetPort::Number(_) => None,
        });
        let number = match (own, &port.target) {
            (Some(own), _) => u16::try_from(*own).ok()?,
            (None, TargetPort::Number(number)) => *number,
            (None, TargetPort::Name(_)) => port.number,
        };
        let spec = WorkloadEntrySpec {
            labels: with_meta(object),
            ..object.spec.clone()
        };
        Some(endpoint(sources, (&object.meta.key, &spec), number, false))
    };
    selected.filter_map(endpoint).collect()
}
