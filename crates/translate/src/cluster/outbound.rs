//! Clusters that lead to Services.

use super::{base, policy, services, to_original_destination};
use crate::value::{ads, seconds};
use crate::{endpoints, istio, names, tls};
use weft_model::protocol::Handling;
use weft_model::service::{Account, Port, Registry, Resolution, Service};
use weft_model::traffic::{LoadBalancing, Policy, Subset, TlsMode};
use weft_model::view::Families;
use weft_model::{Mesh, View};
use weft_proto::pb::envoy::config::cluster::v3::{
    Cluster,
    cluster::{
        ClusterDiscoveryType, CommonLbConfig, DiscoveryType, DnsLookupFamily, EdsClusterConfig,
        LbPolicy, TransportSocketMatch,
    },
};
use weft_proto::pb::envoy::config::core::v3::TransportSocket;
use weft_proto::pb::envoy::r#type::v3::Percent;
use weft_proto::typed_struct::{object, string};

/// A port of a Service, or of a subset of it.
#[derive(Clone, Copy)]
pub(crate) struct Reached<'a> {
    pub(crate) service: &'a Service,
    pub(crate) port: &'a Port,
    pub(crate) subset: Option<&'a Subset>,
}

impl Reached<'_> {
    /// Name of the cluster, and of its endpoints.
    pub(crate) fn name(&self) -> String {
        names::outbound(self.port.number, self.subset_name(), &self.service.host)
    }

    fn subset_name(&self) -> &str {
        self.subset.map_or("", |subset| &subset.name)
    }

    /// What the DestinationRules say of it.
    pub(crate) fn policy(&self, view: &View) -> Policy {
        let rule = view.traffic.get(&self.service.host);
        rule.map_or_else(Policy::default, |rule| {
            rule.policy(self.subset, self.port.number)
        })
    }

    /// Whether its endpoints are told by EDS.
    pub(crate) fn has_endpoints(&self, view: &View) -> bool {
        let passes = self.policy(view).balancing == Some(LoadBalancing::Passthrough);
        self.resolution(view) == Resolution::Known && (!passes || view.edge.is_some())
    }

    /// How its endpoints are found. Clients of a gateway do not bring the address of one.
    fn resolution(&self, view: &View) -> Resolution {
        match self.service.resolution {
            Resolution::Original if view.edge.is_some() => Resolution::Known,
            other => other,
        }
    }
}

/// The cluster of a port of a Service, or of a subset of it.
pub(crate) fn outbound(view: &View, reached: Reached<'_>) -> Cluster {
    let Reached { service, port, .. } = reached;
    let name = reached.name();
    let mut cluster = Cluster {
        common_lb_config: Some(CommonLbConfig {
            // Never send to endpoints that are known not to work.
            healthy_panic_threshold: Some(Percent { value: 0.0 }),
            ..Default::default()
        }),
        metadata: services(
            std::iter::once((&service.key, &*service.host)),
            service.external,
        ),
        ..base(&name)
    };
    let resolution = reached.resolution(view);
    match resolution {
        Resolution::Known => by_endpoints(&mut cluster, name.clone()),
        Resolution::Dns => by_names(&mut cluster, view, reached, DiscoveryType::StrictDns),
        Resolution::DnsFirst => by_names(&mut cluster, view, reached, DiscoveryType::LogicalDns),
        Resolution::Original => to_original_destination(&mut cluster),
    }
    let policy = reached.policy(view);
    policy::apply(&mut cluster, &policy, port.protocol);
    if view.edge.is_some() && policy.balancing == Some(LoadBalancing::Passthrough) {
        by_endpoints(&mut cluster, name);
    }
    if resolution == Resolution::Original {
        // A rule can choose among endpoints only where they are known.
        to_original_destination(&mut cluster);
        cluster.lb_config = None;
    }
    secure(&mut cluster, view, reached, &policy);
    cluster
}

fn secure(cluster: &mut Cluster, view: &View, reached: Reached<'_>, policy: &Policy) {
    let mutual = mutual_tls(view, reached, policy);
    // An original destination says nothing of itself: one kind of TLS for all of them.
    let kind = cluster.cluster_discovery_type.as_ref();
    let knows_endpoints = kind
        != Some(&ClusterDiscoveryType::Type(
            DiscoveryType::OriginalDst.into(),
        ));
    match &policy.tls {
        Some(TlsMode::Disable) => {}
        Some(TlsMode::Mutual) => cluster.transport_socket = Some(mutual),
        None if reached.service.external => {}
        None if knows_endpoints => cluster.transport_socket_matches = by_endpoint_label(mutual),
        None => cluster.transport_socket = speaks_mtls(reached).then_some(mutual),
    }
}

/// Of a ServiceEntry without endpoints nobody knows it.
fn speaks_mtls(reached: Reached<'_>) -> bool {
    let kubernetes = reached.service.registry == Registry::Kubernetes;
    (kubernetes || !reached.port.endpoints.is_empty()) && reached.port.speaks_mtls()
}

fn mutual_tls(view: &View, reached: Reached<'_>, policy: &Policy) -> TransportSocket {
    let Reached { service, port, .. } = reached;
    let protocol = policy::spoken(policy, port.protocol);
    let http = protocol.handling() == Handling::Http;
    let alpn = istio::client_alpn(view.proxy, http, protocol.is_http2());
    let sni = names::sni(port.number, reached.subset_name(), &service.host);
    tls::client(accepted(&view.mesh, service, port), sni, alpn)
}

/// The names of which the server must show one.
fn accepted(mesh: &Mesh, service: &Service, port: &Port) -> Vec<String> {
    let accounts = port.accounts();
    let domains = mesh.trust_domains.iter();
    let identity = |(domain, account): (&String, &Account)| {
        let Account { namespace, name } = account;
        format!("spiffe://{domain}/ns/{namespace}/sa/{name}")
    };
    let pairs = domains.flat_map(|domain| accounts.iter().map(move |account| (domain, account)));
    let mut all: Vec<String> = pairs.map(identity).collect();
    all.extend(service.identities.iter().cloned());
    all
}

/// Each proxy asks DNS for the endpoints.
#[allow(
    deprecated,
    reason = "Istio's form, which every Envoy reads; the newer one is an extension"
)]
fn by_names(cluster: &mut Cluster, view: &View, reached: Reached<'_>, kind: DiscoveryType) {
    let assignment = endpoints::assignment(view, reached);
    let names = assignment
        .endpoints
        .iter()
        .map(|each| each.lb_endpoints.len());
    let kind = match names.sum::<usize>() {
        1 => kind,
        // Another number of names is refused by Envoy where one is resolved.
        _ => DiscoveryType::StrictDns,
    };
    cluster.cluster_discovery_type = Some(ClusterDiscoveryType::Type(kind.into()));
    cluster.lb_policy = LbPolicy::LeastRequest.into();
    cluster.load_assignment = Some(assignment);
    cluster.dns_refresh_rate = seconds(60);
    cluster.respect_dns_ttl = true;
    cluster.dns_lookup_family = match view.families {
        Families::V4 => DnsLookupFamily::V4Only,
        Families::V6 => DnsLookupFamily::V6Only,
        Families::Dual => DnsLookupFamily::All,
    }
    .into();
}

fn by_endpoints(cluster: &mut Cluster, service_name: String) {
    cluster.cluster_discovery_type = Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into()));
    cluster.lb_policy = LbPolicy::LeastRequest.into();
    cluster.eds_cluster_config = Some(EdsClusterConfig {
        eds_config: ads(),
        service_name,
    });
}

/// Mutual TLS to endpoints that are labelled for it, plaintext to others: Istio's auto mTLS.
fn by_endpoint_label(mutual: TransportSocket) -> Vec<TransportSocketMatch> {
    let labelled = TransportSocketMatch {
        name: "tlsMode-istio".into(),
        r#match: Some(object([("tlsMode", string("istio"))])),
        transport_socket: Some(mutual),
    };
    let others = TransportSocketMatch {
        name: "tlsMode-disabled".into(),
        r#match: Some(object([])),
        transport_socket: Some(tls::plaintext()),
    };
    vec![labelled, others]
}
