//! Clusters that lead to Services.

use super::{base, policy, services, to_original_destination};
use crate::value::ads;
use crate::{istio, names, tls};
use weft_model::View;
use weft_model::protocol::Handling;
use weft_model::service::{Port, Service};
use weft_model::traffic::{LoadBalancing, Policy, Subset, TlsMode};
use weft_proto::pb::envoy::config::cluster::v3::{
    Cluster,
    cluster::{
        ClusterDiscoveryType, CommonLbConfig, DiscoveryType, EdsClusterConfig, LbPolicy,
        TransportSocketMatch,
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
        !self.service.is_headless() && !passes
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
        metadata: services(std::iter::once((&service.key, &*service.host))),
        ..base(&name)
    };
    match service.is_headless() {
        true => to_original_destination(&mut cluster),
        false => by_endpoints(&mut cluster, name),
    }
    let policy = reached.policy(view);
    policy::apply(&mut cluster, &policy, port.protocol);
    if service.is_headless() {
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
    let knows_endpoints = cluster.eds_cluster_config.is_some();
    match &policy.tls {
        Some(TlsMode::Disable) => {}
        Some(TlsMode::Mutual) => cluster.transport_socket = Some(mutual),
        None if knows_endpoints => cluster.transport_socket_matches = by_endpoint_label(mutual),
        None => cluster.transport_socket = reached.port.speaks_mtls().then_some(mutual),
    }
}

fn mutual_tls(view: &View, reached: Reached<'_>, policy: &Policy) -> TransportSocket {
    let Reached { service, port, .. } = reached;
    let protocol = policy::spoken(policy, port.protocol);
    let http = protocol.handling() == Handling::Http;
    let alpn = istio::client_alpn(view.proxy, http, protocol.is_http2());
    let sni = names::sni(port.number, reached.subset_name(), &service.host);
    tls::client(&view.mesh, &port.accounts(), sni, alpn)
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
