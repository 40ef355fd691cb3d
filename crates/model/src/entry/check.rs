//! What values of ServiceEntries and WorkloadEntries may be, and what of them does nothing yet.

use super::{Entry, EntryPort, reference};
use crate::objects::{Config, Key, Objects};
use crate::problem::{ObjectRef, Problem, Severity};
use crate::protocol::Handling;
use crate::routing::check::{Fault, fault, port};
use crate::routing::of_fault;
use crate::service::Resolution;
use std::net::IpAddr;
use std::sync::Arc;
use weft_api::networking::{ServiceEntrySpec, WorkloadEntrySpec};

/// A DNS name, or `*.` and one.
pub(super) fn is_host(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let name = name.strip_suffix('.').unwrap_or(name);
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(known)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// A workload that is no pod, as `resolution` can find it.
pub(super) fn workload(
    at: &str,
    of: &WorkloadEntrySpec,
    resolution: Resolution,
) -> Result<(), Fault> {
    let field = format!("{at}.address");
    let address = of.address.as_str();
    if address.starts_with("unix://") {
        let remedy = "let the workload listen on an address";
        return fault(field, "Unix sockets are not supported", remedy);
    }
    if address.is_empty() {
        let remedy = "name its address; gateways of other networks are not supported yet";
        return fault(field, "it is empty", remedy);
    }
    let by_dns = matches!(resolution, Resolution::Dns | Resolution::DnsFirst);
    match address.parse::<IpAddr>() {
        Ok(_) => {}
        Err(_) if !by_dns => {
            let message = format!("`{address}` is not an IP address");
            return fault(field, message, "write one, or use resolution DNS");
        }
        Err(_) if address.starts_with('*') || !is_host(address) => {
            let message = format!("`{address}` is no address and no name");
            return fault(field, message, "write an address or a DNS name");
        }
        Err(_) => {}
    }
    for (name, number) in &of.ports {
        port(&format!("{at}.ports[{name}]"), *number)?;
    }
    match of.weight {
        Some(weight) if weight > 1_000_000 => fault(
            format!("{at}.weight"),
            format!("{weight} is too much"),
            "use a number from 1 to 1000000",
        ),
        _ => Ok(()),
    }
}

/// Ports of an endpoint have names of the service's ports.
pub(super) fn port_names(
    at: &str,
    of: &WorkloadEntrySpec,
    ports: &[EntryPort],
) -> Result<(), Fault> {
    let unknown = |name: &&String| !ports.iter().any(|port| port.name == **name);
    match of.ports.keys().find(unknown) {
        Some(name) => fault(
            format!("{at}[{name}]"),
            "no port of the service has this name",
            "use a name of spec.ports",
        ),
        None => Ok(()),
    }
}

/// What of a ServiceEntry is legal, but does less than was meant.
pub(super) fn warnings(object: &Arc<Config<ServiceEntrySpec>>, entry: &Entry) -> Vec<Problem> {
    let warning = |field: String, message: String, remedy: &str| Problem {
        object: reference(object),
        field,
        reason: "NotApplied",
        message,
        remedy: remedy.into(),
        severity: Severity::Warning,
    };
    let mut found = Vec::new();
    for (index, endpoint) in object.spec.endpoints.iter().enumerate() {
        if !endpoint.network.is_empty() {
            found.push(warning(
                format!("spec.endpoints[{index}].network"),
                "every endpoint is reached directly, whatever its network".into(),
                "leave it out",
            ));
        }
    }
    let anywhere = entry.addresses.is_empty() && entry.ranges.is_empty();
    for (index, port) in entry.ports.iter().enumerate() {
        let bytes = port.protocol.handling() != Handling::Http && !port.protocol.is_tls();
        if anywhere && bytes {
            found.push(Problem {
                reason: "TakesPort",
                ..warning(
                    format!("spec.ports[{index}]"),
                    format!(
                        "without addresses it takes every connection to port {} that no other service has",
                        port.number
                    ),
                    "name addresses, or capture DNS so that it gets one",
                )
            });
        }
    }
    found
}

/// What is wrong with the WorkloadEntries themselves; a wrong one is nobody's endpoint.
pub(super) fn workload_entries(objects: &Objects) -> Vec<Problem> {
    let mut problems = Vec::new();
    for object in objects.workload_entries.values() {
        // Whether names will do is for the ServiceEntry to say that selects it.
        if let Err(fault) = workload("spec", &object.spec, Resolution::Dns) {
            problems.push(of_fault(workload_reference(&object.meta.key), fault));
        } else if !object.spec.network.is_empty() {
            problems.push(Problem {
                object: workload_reference(&object.meta.key),
                field: "spec.network".into(),
                reason: "NotApplied",
                message: "every workload is reached directly, whatever its network".into(),
                remedy: "leave it out".into(),
                severity: Severity::Warning,
            });
        }
    }
    problems
}

pub(super) fn workload_reference(key: &Key) -> ObjectRef {
    ObjectRef {
        group: "networking.istio.io",
        kind: "WorkloadEntry",
        key: key.clone(),
    }
}
