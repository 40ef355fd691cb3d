//! Clusters.

use super::fault::each;
use super::value::{duration, ip, number, unpack};
use super::{At, Fault, Outcome, endpoints, lb, tls};
use crate::config::{
    Cluster, Discovery, DnsTargets, LookupFamily, ServiceLabels, TlsMatch, UpstreamProtocol,
};
use std::sync::Arc;
use std::time::Duration;
use weft_proto::pb::envoy::config::cluster::v3 as pb;
use weft_proto::pb::envoy::config::cluster::v3::cluster::{
    ClusterDiscoveryType, DiscoveryType, DnsLookupFamily,
};
use weft_proto::pb::envoy::config::core::v3 as core;
use weft_proto::pb::envoy::extensions::upstreams::http::v3 as upstream;
use weft_proto::pb::google::protobuf::value::Kind;
use weft_proto::pb::google::protobuf::{Any, Struct};

/// Envoy's default of `connect_timeout`.
const CONNECT: Duration = Duration::from_secs(5);
/// Envoy's default of `dns_refresh_rate`.
const REFRESH: Duration = Duration::from_secs(5);
/// Envoy's default of the upstream `idle_timeout`.
const IDLE: Duration = Duration::from_secs(3600);
const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// A cluster (CDS), and where its endpoints come from when not from itself.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterPart {
    /// The cluster; one with EDS has no endpoints yet.
    pub cluster: Cluster,
    /// The EDS name of its endpoints.
    pub eds: Option<Arc<str>>,
}

/// A cluster (CDS).
///
/// # Errors
/// The first field that is wrong or unknown here.
pub fn cluster(any: &Any) -> Outcome<ClusterPart> {
    let from: pb::Cluster = unpack(any)?;
    let (discovery, eds) = discovery(&from)?;
    let http = options(&from)?;
    let names = http.upstream_http_protocol_options.as_ref();
    let names = names.map_or((false, false), |o| (o.auto_sni, o.auto_san_validation));
    let common = http.common_http_protocol_options.as_ref();
    let idle = common.and_then(|common| common.idle_timeout.as_ref());
    let idle = duration("idle_timeout", idle)?.unwrap_or(IDLE);
    let matches = |entry: &pb::cluster::TransportSocketMatch| tls_match(entry, names);
    let panic = from.common_lb_config.as_ref();
    let panic = panic.and_then(|common| common.healthy_panic_threshold.as_ref());
    let cluster = Cluster {
        name: from.name.as_str().into(),
        discovery,
        lb: lb::policy(&from)?,
        connect_timeout: duration("connect_timeout", from.connect_timeout.as_ref())?
            .unwrap_or(CONNECT),
        tls_matches: each(
            "transport_socket_matches",
            &from.transport_socket_matches,
            matches,
        )?,
        tls: tls::upstream(from.transport_socket.as_ref(), names).at("transport_socket")?,
        protocol: protocol(&from, &http)?,
        limits: lb::limits(from.circuit_breakers.as_ref()),
        outlier: from
            .outlier_detection
            .as_ref()
            .map(lb::outlier)
            .transpose()
            .at("outlier_detection")?,
        health_checks: each("health_checks", &from.health_checks, lb::health_check)?,
        panic_threshold: panic.map_or(50.0, |percent| percent.value),
        idle_timeout: Some(idle).filter(|limit| !limit.is_zero()),
        max_requests_per_connection: common.map_or_else(
            || number(from.max_requests_per_connection.as_ref(), 0),
            |common| number(common.max_requests_per_connection.as_ref(), 0),
        ),
        bind_source: source(&from)?,
        keepalive: keepalive(&from),
        service: from.metadata.as_ref().and_then(service),
        external: from.metadata.as_ref().is_some_and(external),
    };
    Ok(ClusterPart { cluster, eds })
}

fn discovery(from: &pb::Cluster) -> Outcome<(Discovery, Option<Arc<str>>)> {
    let kind = match from.cluster_discovery_type {
        Some(ClusterDiscoveryType::Type(kind)) => DiscoveryType::try_from(kind)
            .map_err(|_| Fault::new(format!("the cluster type {kind} is unknown")))?,
        Some(ClusterDiscoveryType::ClusterType(_)) => {
            return Err(Fault::new("cluster extensions are not supported")).at("cluster_type");
        }
        None => DiscoveryType::Static,
    };
    let inline = from.load_assignment.clone().unwrap_or_default();
    let names = || -> Outcome<DnsTargets> {
        let refresh = duration("dns_refresh_rate", from.dns_refresh_rate.as_ref())?;
        Ok(DnsTargets {
            targets: endpoints::names(&inline).at("load_assignment")?,
            refresh: refresh.unwrap_or(REFRESH),
            respect_ttl: from.respect_dns_ttl,
            family: family(from.dns_lookup_family()),
        })
    };
    match kind {
        DiscoveryType::Static => {
            let found = endpoints::localities(&inline).at("load_assignment")?;
            Ok((Discovery::Static(found), None))
        }
        DiscoveryType::StrictDns => Ok((Discovery::StrictDns(names()?), None)),
        DiscoveryType::LogicalDns => match names()? {
            one if one.targets.len() == 1 => Ok((Discovery::LogicalDns(one), None)),
            _ => Err(Fault::new("LOGICAL_DNS resolves exactly one name")).at("load_assignment"),
        },
        DiscoveryType::OriginalDst => Ok((Discovery::OriginalDst, None)),
        DiscoveryType::Eds => {
            let service = from.eds_cluster_config.as_ref();
            let service = service.map(|eds| eds.service_name.as_str());
            let service = service
                .filter(|name| !name.is_empty())
                .unwrap_or(&from.name);
            Ok((Discovery::Eds(Arc::default()), Some(service.into())))
        }
    }
}

fn family(from: DnsLookupFamily) -> LookupFamily {
    match from {
        DnsLookupFamily::Auto | DnsLookupFamily::All => LookupFamily::All,
        DnsLookupFamily::V4Only => LookupFamily::V4,
        DnsLookupFamily::V6Only => LookupFamily::V6,
        DnsLookupFamily::V4Preferred => LookupFamily::V4Preferred,
    }
}

fn options(from: &pb::Cluster) -> Outcome<upstream::HttpProtocolOptions> {
    match from.typed_extension_protocol_options.get(HTTP_OPTIONS) {
        Some(any) => unpack(any).at("typed_extension_protocol_options"),
        None => Ok(upstream::HttpProtocolOptions::default()),
    }
}

fn protocol(from: &pb::Cluster, http: &upstream::HttpProtocolOptions) -> Outcome<UpstreamProtocol> {
    use upstream::http_protocol_options::UpstreamProtocolOptions as Is;
    use upstream::http_protocol_options::explicit_http_config::ProtocolConfig;
    match &http.upstream_protocol_options {
        Some(Is::ExplicitHttpConfig(explicit)) => match &explicit.protocol_config {
            Some(ProtocolConfig::Http2ProtocolOptions(_)) => Ok(UpstreamProtocol::Http2),
            Some(ProtocolConfig::HttpProtocolOptions(_)) | None => Ok(UpstreamProtocol::Http1),
            Some(ProtocolConfig::Http3ProtocolOptions(_)) => {
                Err(Fault::new("HTTP/3 is not supported"))
            }
        },
        Some(Is::UseDownstreamProtocolConfig(_)) => Ok(UpstreamProtocol::Downstream),
        Some(Is::AutoConfig(_)) => Ok(UpstreamProtocol::Http1),
        None if from.http2_protocol_options.is_some() => Ok(UpstreamProtocol::Http2),
        None => Ok(UpstreamProtocol::Http1),
    }
}

fn tls_match(from: &pb::cluster::TransportSocketMatch, names: (bool, bool)) -> Outcome<TlsMatch> {
    Ok(TlsMatch {
        labels: from
            .r#match
            .as_ref()
            .map(endpoints::labels)
            .unwrap_or_default(),
        tls: tls::upstream(from.transport_socket.as_ref(), names).at(&from.name)?,
    })
}

fn source(from: &pb::Cluster) -> Outcome<Option<std::net::IpAddr>> {
    let bind = from.upstream_bind_config.as_ref();
    let address = bind.and_then(|bind| bind.source_address.as_ref());
    address
        .map(|address| ip(&address.address))
        .transpose()
        .at("upstream_bind_config")
}

fn keepalive(from: &pb::Cluster) -> Option<(u32, u32, u32)> {
    let options = from.upstream_connection_options.as_ref()?;
    let keepalive = options.tcp_keepalive.as_ref()?;
    Some((
        number(keepalive.keepalive_time.as_ref(), 7200),
        number(keepalive.keepalive_interval.as_ref(), 75),
        number(keepalive.keepalive_probes.as_ref(), 9),
    ))
}

/// Istio's mark of what is outside the mesh.
fn external(from: &core::Metadata) -> bool {
    let istio = from.filter_metadata.get("istio");
    let external = istio.and_then(|istio| istio.fields.get("external"));
    external.is_some_and(|value| value.kind == Some(Kind::BoolValue(true)))
}

/// The first of Istio's `services`: host, name, namespace.
fn service(from: &core::Metadata) -> Option<ServiceLabels> {
    let services = from.filter_metadata.get("istio")?.fields.get("services")?;
    let Some(Kind::ListValue(list)) = &services.kind else {
        return None;
    };
    let Some(Kind::StructValue(first)) = &list.values.first()?.kind else {
        return None;
    };
    let label = |key: &str| -> Option<Arc<str>> { string(first, key).map(Into::into) };
    Some(ServiceLabels {
        host: label("host")?,
        name: label("name")?,
        namespace: label("namespace")?,
    })
}

fn string<'a>(from: &'a Struct, key: &str) -> Option<&'a str> {
    match from.fields.get(key)?.kind.as_ref()? {
        Kind::StringValue(text) => Some(text),
        _ => None,
    }
}
