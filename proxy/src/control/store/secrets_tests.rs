//! Listeners and the secrets that they name.

use super::*;
use crate::config::TlsIdentity;
use weft_proto::pack;
use weft_proto::pb::envoy::config::core::v3 as core;
use weft_proto::pb::envoy::config::listener::v3 as lds;
use weft_proto::pb::envoy::extensions::filters::network::tcp_proxy::v3 as tcp;
use weft_proto::pb::envoy::extensions::transport_sockets::tls::v3 as tls;

const NAME: &str = "kubernetes://shop";

fn resource(name: &str, any: Any) -> SavedResource {
    SavedResource {
        type_url: any.type_url,
        name: name.into(),
        version: "1".into(),
        value: any.value,
    }
}

fn text(pem: &str) -> Option<core::DataSource> {
    Some(core::DataSource {
        specifier: Some(core::data_source::Specifier::InlineString(pem.into())),
        ..Default::default()
    })
}

/// A certificate of its own making for `name`, as SDS tells it.
fn secret(name: &str) -> SavedResource {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let certificate = tls::TlsCertificate {
        certificate_chain: text(&made.cert.pem()),
        private_key: text(&made.signing_key.serialize_pem()),
        ..Default::default()
    };
    let message = tls::Secret {
        name: NAME.into(),
        r#type: Some(tls::secret::Type::TlsCertificate(certificate)),
    };
    resource(NAME, pack(&message))
}

/// A listener whose TLS is shown with the secret.
fn listener() -> SavedResource {
    let named = tls::SdsSecretConfig {
        name: NAME.into(),
        ..Default::default()
    };
    let context = tls::DownstreamTlsContext {
        common_tls_context: Some(tls::CommonTlsContext {
            tls_certificate_sds_secret_configs: vec![named],
            ..Default::default()
        }),
        ..Default::default()
    };
    let carrier = tcp::TcpProxy {
        stat_prefix: "t".into(),
        cluster_specifier: Some(tcp::tcp_proxy::ClusterSpecifier::Cluster("c".into())),
        ..Default::default()
    };
    let chain = lds::FilterChain {
        filters: vec![lds::Filter {
            name: "tcp".into(),
            config_type: Some(lds::filter::ConfigType::TypedConfig(pack(&carrier))),
        }],
        transport_socket: Some(core::TransportSocket {
            name: "envoy.transport_sockets.tls".into(),
            config_type: Some(core::transport_socket::ConfigType::TypedConfig(pack(
                &context,
            ))),
        }),
        ..Default::default()
    };
    let socket = core::SocketAddress {
        address: "0.0.0.0".into(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(8443)),
        ..Default::default()
    };
    let message = lds::Listener {
        name: "edge".into(),
        address: Some(core::Address {
            address: Some(core::address::Address::SocketAddress(socket)),
        }),
        filter_chains: vec![chain],
        ..Default::default()
    };
    resource("edge", pack(&message))
}

fn take(store: &mut Store, resources: &[SavedResource]) -> Vec<Refusal> {
    let refused = store.update(resources);
    store.remove(CLUSTER, &[]);
    store.remove(LISTENER, &[]);
    refused
}

fn shown(config: &Config) -> TlsIdentity {
    let chain = &config.listeners["edge"].filter_chains[0];
    chain.tls.as_ref().unwrap().identity.clone()
}

#[test]
fn a_listener_waits_for_its_secret() {
    let mut store = Store::default();
    take(&mut store, &[listener()]);
    assert_eq!(store.wanted_secrets(), [NAME.to_owned()].into());
    assert!(!store.complete());
    assert!(store.advance().is_none());
    take(&mut store, &[secret("a.example")]);
    assert!(store.complete());
    let config = store.advance().unwrap();
    assert!(matches!(shown(&config), TlsIdentity::Pem { .. }));
    let mut next = Store::default();
    next.restore(&store.saved());
    assert!(next.complete() && next.advance().is_some());
}

#[test]
fn a_renewed_secret_is_shown_and_its_connections_go_on() {
    let mut store = Store::default();
    take(&mut store, &[listener(), secret("a.example")]);
    let old = store.advance().unwrap();
    take(&mut store, &[listener()]);
    assert!(store.advance().is_none(), "nothing has changed");
    take(&mut store, &[secret("a.example")]);
    let new = store.advance().unwrap();
    assert_ne!(shown(&old), shown(&new));
    let chain = |config: &Config| Arc::clone(&config.listeners["edge"].filter_chains[0]);
    assert!(chain(&old).serves_as(&chain(&new)));
}

#[test]
fn a_secret_that_cannot_be_used_leaves_the_last_good_one() {
    let mut store = Store::default();
    take(&mut store, &[listener(), secret("a.example")]);
    let good = store.advance().unwrap();
    let bad = tls::Secret {
        name: NAME.into(),
        r#type: Some(tls::secret::Type::TlsCertificate(tls::TlsCertificate {
            certificate_chain: text("no certificate"),
            private_key: text("no key"),
            ..Default::default()
        })),
    };
    let refused = take(&mut store, &[resource(NAME, pack(&bad))]);
    assert_eq!(refused.len(), 1);
    assert!(!refused[0].fault.to_string().contains("no key"));
    assert!(store.advance().is_none());
    assert_eq!(shown(&store.published), shown(&good));
}
