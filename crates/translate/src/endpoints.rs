//! EDS: who serves a cluster.

use crate::cluster::Reached;
use crate::value::{number, place};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use weft_model::View;
use weft_model::endpoint::{Endpoint, Health, Tls};
use weft_model::traffic::Subset;
use weft_model::view::Families;
use weft_model::workload::Locality;
use weft_proto::pb::envoy::config::core::v3 as core;
use weft_proto::pb::envoy::config::endpoint::v3 as endpoint;
use weft_proto::typed_struct::{object, string};

/// The endpoints of a port of a Service, or of a subset of it.
pub(crate) fn assignment(view: &View, reached: Reached<'_>) -> endpoint::ClusterLoadAssignment {
    let mut localities: BTreeMap<&Locality, (u32, Vec<endpoint::LbEndpoint>)> = BTreeMap::new();
    let endpoints = reached.port.endpoints.iter();
    for each in endpoints.filter(|each| belongs(each, reached.subset)) {
        let (weight, group) = localities.entry(&each.locality).or_default();
        *weight = weight.saturating_add(each.weight);
        group.push(lb_endpoint(view, each));
    }
    endpoint::ClusterLoadAssignment {
        cluster_name: reached.name(),
        endpoints: localities.into_iter().map(group).collect(),
        ..Default::default()
    }
}

/// One endpoint of which nothing but its address counts.
pub(crate) fn fixed(at: SocketAddr) -> endpoint::LocalityLbEndpoints {
    let only = endpoint::Endpoint {
        address: place(at.ip().to_string(), at.port()),
        ..Default::default()
    };
    let only = endpoint::LbEndpoint {
        host_identifier: Some(endpoint::lb_endpoint::HostIdentifier::Endpoint(only)),
        ..Default::default()
    };
    endpoint::LocalityLbEndpoints {
        lb_endpoints: vec![only],
        ..Default::default()
    }
}

/// What is no pod has no labels, and is of a subset without labels only.
fn belongs(endpoint: &Endpoint, subset: Option<&Subset>) -> bool {
    subset.is_none_or(|subset| match &endpoint.workload {
        Some(workload) => subset
            .labels
            .iter()
            .all(|(key, value)| workload.labels.get(key) == Some(value)),
        None => subset.labels.is_empty(),
    })
}

fn group(
    (locality, (weight, lb_endpoints)): (&Locality, (u32, Vec<endpoint::LbEndpoint>)),
) -> endpoint::LocalityLbEndpoints {
    endpoint::LocalityLbEndpoints {
        locality: Some(core::Locality {
            region: locality.region.clone(),
            zone: locality.zone.clone(),
            sub_zone: locality.subzone.clone(),
        }),
        load_balancing_weight: number(weight),
        lb_endpoints,
        ..Default::default()
    }
}

fn lb_endpoint(view: &View, of: &Endpoint) -> endpoint::LbEndpoint {
    let health = match of.health {
        Health::Ready => core::HealthStatus::Healthy,
        Health::Draining => core::HealthStatus::Draining,
    };
    let address = place(of.address(any_of(view.families)), of.port);
    endpoint::LbEndpoint {
        health_status: health.into(),
        load_balancing_weight: number(of.weight),
        metadata: Some(metadata(view, of)),
        host_identifier: Some(endpoint::lb_endpoint::HostIdentifier::Endpoint(
            endpoint::Endpoint {
                address,
                ..Default::default()
            },
        )),
    }
}

fn any_of(families: Families) -> &'static [IpAddr] {
    const BOTH: [IpAddr; 2] = [
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    ];
    match families {
        Families::V4 => &BOTH[..1],
        Families::V6 => &BOTH[1..],
        Families::Dual => &BOTH,
    }
}

fn metadata(view: &View, of: &Endpoint) -> core::Metadata {
    let cluster = &view.mesh.cluster_id;
    let workload = of.workload.as_ref().map_or_else(
        || format!(";;;;{cluster}"),
        |workload| {
            let (canonical, revision) = (workload.canonical_name(), workload.canonical_revision());
            let (name, namespace) = (&workload.name, &workload.namespace);
            format!("{name};{namespace};{canonical};{revision};{cluster}")
        },
    );
    let mut metadata = crate::value::istio_metadata(object([("workload", string(workload))]));
    if of.tls != Tls::None {
        let label = object([("tlsMode", string("istio"))]);
        let name = "envoy.transport_socket_match".to_owned();
        metadata.filter_metadata.insert(name, label);
    }
    metadata
}
