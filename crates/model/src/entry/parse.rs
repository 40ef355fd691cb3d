//! One ServiceEntry from its object.

use super::{Backends, Entry, EntryPort, check};
use crate::host::Host;
use crate::objects::Config;
use crate::protocol::Protocol;
use crate::routing::check::{Fault, fault, port};
use crate::service::Resolution;
use crate::visibility::Visibility;
use ipnet::IpNet;
use std::net::IpAddr;
use weft_api::networking::ServiceEntrySpec;
use weft_api::networking::service_entry::{EntryPort as ApiPort, Location, Resolution as Api};

/// What `object` says.
pub(super) fn parse(object: &Config<ServiceEntrySpec>) -> Result<Entry, Fault> {
    let spec = &object.spec;
    let resolution = resolution(spec)?;
    let hosts = hosts(spec, resolution)?;
    let (addresses, ranges) = addresses(spec)?;
    if !ranges.is_empty() && !matches!(resolution, Resolution::Original | Resolution::Known) {
        let remedy = "use resolution NONE or STATIC, or name single addresses";
        return fault("spec.addresses", "a range is no name that DNS has", remedy);
    }
    let ports = ports(spec, resolution)?;
    Ok(Entry {
        key: object.meta.key.clone(),
        created: object.meta.created,
        hosts,
        addresses,
        ranges,
        external: spec.location == Location::MeshExternal,
        resolution,
        backends: backends(spec, resolution, &ports)?,
        ports,
        visibility: Visibility::parse(
            spec.export_to.iter().map(String::as_str),
            &object.meta.key.namespace,
        ),
        identities: spec.subject_alt_names.clone(),
    })
}

fn resolution(spec: &ServiceEntrySpec) -> Result<Resolution, Fault> {
    match spec.resolution {
        Api::None => Ok(Resolution::Original),
        Api::Static => Ok(Resolution::Known),
        Api::Dns => Ok(Resolution::Dns),
        Api::DnsRoundRobin => Ok(Resolution::DnsFirst),
        Api::DynamicDns => fault(
            "spec.resolution",
            "DYNAMIC_DNS is not supported yet",
            "use NONE, which connects to what the client has resolved, or name the hosts and use DNS",
        ),
    }
}

fn hosts(spec: &ServiceEntrySpec, resolution: Resolution) -> Result<Vec<Host>, Fault> {
    if spec.hosts.is_empty() {
        return fault("spec.hosts", "it is empty", "name the service");
    }
    let mut hosts = Vec::new();
    for (index, text) in spec.hosts.iter().enumerate() {
        let field = format!("spec.hosts[{index}]");
        if !check::is_host(text) {
            return fault(
                field,
                format!("`{text}` is not the name of a host"),
                "write a DNS name, or `*.` and a name for all names below it",
            );
        }
        let host = Host::new(text.trim_end_matches('.'));
        let resolves = matches!(resolution, Resolution::Dns | Resolution::DnsFirst);
        if host.is_wildcard() && resolves && spec.endpoints.is_empty() {
            return fault(
                field,
                format!("DNS has no addresses for `{text}`"),
                "use resolution NONE, or name endpoints",
            );
        }
        hosts.push(host);
    }
    Ok(hosts)
}

fn addresses(spec: &ServiceEntrySpec) -> Result<(Vec<IpAddr>, Vec<IpNet>), Fault> {
    let (mut single, mut ranges) = (Vec::new(), Vec::new());
    for (index, text) in spec.addresses.iter().enumerate() {
        match (text.parse::<IpAddr>(), text.parse::<IpNet>()) {
            (Ok(address), _) => single.push(address),
            (_, Ok(range)) if range.prefix_len() == range.max_prefix_len() => {
                single.push(range.addr());
            }
            (_, Ok(range)) => ranges.push(range.trunc()),
            _ => {
                return fault(
                    format!("spec.addresses[{index}]"),
                    format!("`{text}` is no address and no range of addresses"),
                    "write an address such as 10.1.2.3, or a range such as 10.1.0.0/16",
                );
            }
        }
    }
    Ok((single, ranges))
}

fn ports(spec: &ServiceEntrySpec, resolution: Resolution) -> Result<Vec<EntryPort>, Fault> {
    if spec.ports.is_empty() {
        return fault("spec.ports", "it is empty", "name the ports that it serves");
    }
    let mut ports: Vec<EntryPort> = Vec::new();
    for (index, each) in spec.ports.iter().enumerate() {
        let parsed = entry_port(&format!("spec.ports[{index}]"), each, resolution)?;
        let twin = ports
            .iter()
            .any(|other| other.number == parsed.number || other.name == parsed.name);
        if twin {
            return fault(
                format!("spec.ports[{index}]"),
                "another port has the same number or name",
                "give each port its own",
            );
        }
        ports.push(parsed);
    }
    Ok(ports)
}

fn entry_port(at: &str, of: &ApiPort, resolution: Resolution) -> Result<EntryPort, Fault> {
    let number = port(&format!("{at}.number"), of.number)?;
    if [15001, 15006].contains(&number) {
        let message = format!("port {number} is where proxies capture connections");
        return fault(format!("{at}.number"), message, "use another port");
    }
    if of.name.is_empty() {
        return fault(format!("{at}.name"), "it is empty", "name the port");
    }
    let protocol = match of.protocol.as_str() {
        "" => Some(Protocol::Auto),
        name => Protocol::of_name(name).filter(|protocol| *protocol != Protocol::Udp),
    };
    let Some(protocol) = protocol else {
        return fault(
            format!("{at}.protocol"),
            format!("`{}` is not a protocol that the mesh carries", of.protocol),
            "use HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP or TLS",
        );
    };
    let target = match of.target_port {
        Some(target) => port(&format!("{at}.targetPort"), target)?,
        None => number,
    };
    if resolution == Resolution::Original && target != number {
        let remedy = "leave it out, or use resolution STATIC or DNS";
        let message = "the client has chosen the port already";
        return fault(format!("{at}.targetPort"), message, remedy);
    }
    Ok(EntryPort {
        name: of.name.clone(),
        number,
        target,
        protocol,
    })
}

fn backends(
    spec: &ServiceEntrySpec,
    resolution: Resolution,
    ports: &[EntryPort],
) -> Result<Backends, Fault> {
    let listed = &spec.endpoints;
    match (&spec.workload_selector, listed.is_empty(), resolution) {
        (Some(_), false, _) => fault(
            "spec.workloadSelector",
            "it excludes endpoints",
            "keep one of workloadSelector and endpoints",
        ),
        (Some(selector), true, _) if selector.labels.is_empty() => fault(
            "spec.workloadSelector.labels",
            "it is empty",
            "name the labels of the workloads",
        ),
        (Some(_), _, Resolution::Original) | (_, false, Resolution::Original) => fault(
            "spec.resolution",
            "with NONE the client's own address counts, not endpoints",
            "use STATIC for addresses, or DNS for names",
        ),
        (Some(selector), true, _) => Ok(Backends::Selected(selector.labels.clone())),
        (None, true, Resolution::Known) => fault(
            "spec.endpoints",
            "it is empty, and with STATIC there is nobody else",
            "name endpoints or a workloadSelector, or use resolution DNS",
        ),
        (None, true, _) => Ok(Backends::Hosts),
        (None, false, Resolution::DnsFirst) if listed.len() > 1 => fault(
            "spec.endpoints",
            "DNS_ROUND_ROBIN takes one endpoint",
            "keep one, or use resolution DNS",
        ),
        (None, false, _) => {
            for (index, endpoint) in listed.iter().enumerate() {
                check::workload(&format!("spec.endpoints[{index}]"), endpoint, resolution)?;
                check::port_names(&format!("spec.endpoints[{index}].ports"), endpoint, ports)?;
            }
            Ok(Backends::Listed(listed.clone()))
        }
    }
}
