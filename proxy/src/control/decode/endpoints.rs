//! Endpoints, from EDS or inline.

use super::fault::each;
use super::value::{number, socket, unpack};
use super::{At, Fault, Outcome};
use crate::config::{DnsTarget, Endpoint, EndpointHealth, Endpoints, Locality};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use weft_proto::pb::envoy::config::core::v3::{self as core, HealthStatus, Metadata};
use weft_proto::pb::envoy::config::endpoint::v3 as pb;
use weft_proto::pb::google::protobuf::value::Kind;
use weft_proto::pb::google::protobuf::{Any, Struct};

use pb::lb_endpoint::HostIdentifier;

/// The endpoints of one cluster (EDS), and the cluster's name there.
///
/// # Errors
/// The first field that is wrong.
pub fn assignment(any: &Any) -> Outcome<(Arc<str>, Endpoints)> {
    let from: pb::ClusterLoadAssignment = unpack(any)?;
    Ok((from.cluster_name.as_str().into(), localities(&from)?))
}

pub(super) fn localities(from: &pb::ClusterLoadAssignment) -> Outcome<Endpoints> {
    each("endpoints", &from.endpoints, locality).map(Arc::new)
}

fn locality(from: &pb::LocalityLbEndpoints) -> Outcome<Locality> {
    let weight = from.load_balancing_weight.as_ref();
    Ok(Locality {
        name: from.locality.as_ref().map_or_else(|| "".into(), place),
        priority: from.priority,
        weight: weight.map(|weight| weight.value),
        endpoints: each("lb_endpoints", &from.lb_endpoints, endpoint)?,
    })
}

fn place(from: &core::Locality) -> Arc<str> {
    let parts = [&from.region, &from.zone, &from.sub_zone];
    let named: Vec<&str> = parts
        .into_iter()
        .map(String::as_str)
        .take_while(|part| !part.is_empty())
        .collect();
    named.join("/").into()
}

fn endpoint(from: &pb::LbEndpoint) -> Outcome<Arc<Endpoint>> {
    let address = resolved(inner(from)?.address.as_ref()).at("endpoint.address")?;
    Ok(Arc::new(at(from, address)))
}

/// `from`, at this address.
fn at(from: &pb::LbEndpoint, address: SocketAddr) -> Endpoint {
    let metadata = from.metadata.as_ref();
    Endpoint {
        address,
        weight: number(from.load_balancing_weight.as_ref(), 1),
        health: health(from.health_status()),
        transport_match: metadata
            .and_then(|metadata| metadata.filter_metadata.get("envoy.transport_socket_match"))
            .map(labels)
            .unwrap_or_default(),
        workload: metadata.and_then(workload),
    }
}

fn resolved(address: Option<&core::Address>) -> Outcome<SocketAddr> {
    let (host, port) = socket(address)?;
    let host: IpAddr = host.parse().map_err(|_| {
        let remedy = "names need a cluster of the type STRICT_DNS";
        Fault::new(format!("`{host}` is not an IP address; {remedy}"))
    })?;
    Ok(SocketAddr::new(host, port))
}

fn inner(from: &pb::LbEndpoint) -> Outcome<&pb::Endpoint> {
    match &from.host_identifier {
        Some(HostIdentifier::Endpoint(endpoint)) => Ok(endpoint),
        Some(HostIdentifier::EndpointName(_)) | None => Err(Fault::new("no endpoint")),
    }
}

fn health(from: HealthStatus) -> EndpointHealth {
    match from {
        HealthStatus::Unknown | HealthStatus::Healthy | HealthStatus::Degraded => {
            EndpointHealth::Healthy
        }
        HealthStatus::Draining => EndpointHealth::Draining,
        HealthStatus::Unhealthy | HealthStatus::Timeout => EndpointHealth::Unhealthy,
    }
}

/// The text values of a struct.
pub(super) fn labels(from: &Struct) -> BTreeMap<Arc<str>, Arc<str>> {
    from.fields
        .iter()
        .filter_map(|(key, value)| match &value.kind {
            Some(Kind::StringValue(text)) => Some((key.as_str().into(), text.as_str().into())),
            _ => None,
        })
        .collect()
}

fn workload(from: &Metadata) -> Option<Arc<str>> {
    let istio = labels(from.filter_metadata.get("istio")?);
    istio.get("workload").cloned()
}

/// The names that a DNS cluster resolves.
pub(super) fn names(from: &pb::ClusterLoadAssignment) -> Outcome<Vec<DnsTarget>> {
    let mut targets = Vec::new();
    for locality in &from.endpoints {
        let place = locality.locality.as_ref().map_or_else(|| "".into(), place);
        for endpoint in &locality.lb_endpoints {
            let (name, port) = socket(inner(endpoint)?.address.as_ref())?;
            targets.push(DnsTarget {
                name,
                locality: Arc::clone(&place),
                priority: locality.priority,
                like: at(endpoint, (Ipv4Addr::UNSPECIFIED, port).into()),
            });
        }
    }
    Ok(targets)
}
