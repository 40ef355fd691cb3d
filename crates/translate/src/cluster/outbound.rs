//! Clusters that lead to Services.

use super::{base, services, speak, to_original_destination};
use crate::value::ads;
use crate::{istio, names, tls};
use weft_model::View;
use weft_model::protocol::Handling;
use weft_model::service::{Port, Service};
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

/// The cluster of a port of a Service.
pub(crate) fn outbound(view: &View, service: &Service, port: &Port) -> Cluster {
    let name = names::outbound(port.number, "", &service.host);
    let mut cluster = Cluster {
        common_lb_config: Some(CommonLbConfig {
            // Never send to endpoints that are known not to work.
            healthy_panic_threshold: Some(Percent { value: 0.0 }),
            ..Default::default()
        }),
        metadata: services(std::iter::once((&service.key, &*service.host))),
        ..base(&name)
    };
    speak(&mut cluster, port.protocol);
    let mutual = mutual_tls(view, service, port);
    match service.is_headless() {
        // An original destination says nothing of itself: one kind of TLS for all of them.
        true => {
            to_original_destination(&mut cluster);
            cluster.transport_socket = port.speaks_mtls().then_some(mutual);
        }
        false => {
            by_endpoints(&mut cluster, name);
            cluster.transport_socket_matches = by_endpoint_label(mutual);
        }
    }
    cluster
}

fn mutual_tls(view: &View, service: &Service, port: &Port) -> TransportSocket {
    let http = port.protocol.handling() == Handling::Http;
    let alpn = istio::client_alpn(view.proxy, http, port.protocol.is_http2());
    let sni = names::sni(port.number, "", &service.host);
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
