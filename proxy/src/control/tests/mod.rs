//! The control side against a control plane on real sockets.

mod plane;

use super::ca::Wish;
use super::certs::Certificates;
use super::channel::Control;
use super::saved::Saved;
use super::stream::Stream;
use crate::config::Config;
use crate::data::secrets::Secrets;
use plane::{Pki, Plane, TOKEN};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use weft_identity::Identity;
use weft_proto::pack;
use weft_proto::pb::envoy::config::cluster::v3::Cluster;
use weft_proto::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use weft_proto::pb::envoy::config::core::v3::{Address, Node, SocketAddress, address};
use weft_proto::pb::envoy::config::listener::v3::filter::ConfigType;
use weft_proto::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener};
use weft_proto::pb::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
use weft_proto::pb::envoy::extensions::filters::network::tcp_proxy::v3::tcp_proxy::ClusterSpecifier;
use weft_proto::pb::google::protobuf::Any;
use weft_proto::type_url::{CLUSTER, LISTENER};
use weft_xds::{Resource, World};

const LONG: Duration = Duration::from_secs(20);

/// The control side of one proxy.
struct Proxy {
    tasks: JoinSet<()>,
    secrets: Arc<Secrets>,
    config: watch::Receiver<Option<Arc<Config>>>,
    identity: watch::Receiver<Option<Identity>>,
}

impl Proxy {
    fn start(directory: &TempDir, port: u16, lifetime: u64) -> Self {
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("token"), TOKEN).unwrap();
        let control = Control {
            host: "127.0.0.1".into(),
            port,
            roots: path("roots"),
        };
        let saved = Saved::new(directory.path());
        let secrets = Arc::new(Secrets::default());
        let (current, identity) = watch::channel(None);
        let (publish, config) = watch::channel(None);
        let certificates = Certificates {
            control: control.clone(),
            wish: Wish {
                id: "spiffe://cluster.local/ns/shop/sa/cart".parse().unwrap(),
                token: path("token"),
                lifetime: Some(Duration::from_secs(lifetime)),
            },
            saved: saved.clone(),
            secrets: Arc::clone(&secrets),
            current,
        };
        let node = Node {
            id: "sidecar~10.0.0.1~cart.shop~shop.svc.cluster.local".into(),
            ..Node::default()
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(certificates.run());
        tasks.spawn(Stream::new(control, saved, node, publish).run(identity.clone()));
        Self {
            tasks,
            secrets,
            config,
            identity,
        }
    }

    async fn configured(&mut self) -> Arc<Config> {
        let config = timeout(LONG, self.config.wait_for(Option::is_some)).await;
        config.unwrap().unwrap().clone().unwrap()
    }

    async fn certified(&mut self) -> Identity {
        let identity = timeout(LONG, self.identity.wait_for(Option::is_some)).await;
        identity.unwrap().unwrap().clone().unwrap()
    }
}

fn world() -> World {
    let cluster = Cluster {
        name: "one".into(),
        ..Cluster::default()
    };
    let proxy = TcpProxy {
        cluster_specifier: Some(ClusterSpecifier::Cluster("one".into())),
        ..TcpProxy::default()
    };
    let filter = Filter {
        name: "tcp".into(),
        config_type: Some(ConfigType::TypedConfig(pack(&proxy))),
    };
    let socket = SocketAddress {
        address: "0.0.0.0".into(),
        port_specifier: Some(PortSpecifier::PortValue(15001)),
        ..SocketAddress::default()
    };
    let listener = Listener {
        name: "virtualOutbound".into(),
        address: Some(Address {
            address: Some(address::Address::SocketAddress(socket)),
        }),
        filter_chains: vec![FilterChain {
            filters: vec![filter],
            ..FilterChain::default()
        }],
        ..Listener::default()
    };
    World::new(1)
        .with(CLUSTER, only("one", pack(&cluster)))
        .with(LISTENER, only("virtualOutbound", pack(&listener)))
}

fn only(name: &str, body: Any) -> Arc<BTreeMap<Arc<str>, Resource>> {
    let resource = Resource {
        version: "1".into(),
        body: Arc::new(body),
    };
    Arc::new(BTreeMap::from([(name.into(), resource)]))
}

fn directory(pki: &Pki) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("roots"), &pki.root).unwrap();
    directory
}

#[tokio::test]
async fn a_new_proxy_gets_a_certificate_and_then_its_configuration() {
    let pki = Pki::new();
    let plane = Plane::start(&pki, world()).await;
    let directory = directory(&pki);
    let mut proxy = Proxy::start(&directory, plane.port, 3600);
    let config = proxy.configured().await;
    assert!(config.clusters.contains_key("one"));
    let identity = proxy.secrets.current().unwrap();
    let id = identity.leaf().id.as_ref().unwrap();
    assert_eq!(id.as_str(), "spiffe://cluster.local/ns/shop/sa/cart");
}

#[tokio::test]
async fn a_proxy_that_restarts_without_a_control_plane_serves_what_it_has_saved() {
    let pki = Pki::new();
    let plane = Plane::start(&pki, world()).await;
    let directory = directory(&pki);
    let mut first = Proxy::start(&directory, plane.port, 3600);
    let serial = first.certified().await.leaf().serial.clone();
    first.configured().await;
    first.tasks.shutdown().await;
    plane.task.abort();

    let mut second = Proxy::start(&directory, plane.port, 3600);
    assert!(second.configured().await.clusters.contains_key("one"));
    assert_eq!(second.certified().await.leaf().serial, serial);
}

#[tokio::test]
async fn a_proxy_waits_until_it_trusts_a_control_plane() {
    let pki = Pki::new();
    let directory = directory(&Pki::new());
    let plane = Plane::start(&pki, world()).await;
    let mut proxy = Proxy::start(&directory, plane.port, 3600);
    let early = timeout(
        Duration::from_millis(300),
        proxy.identity.wait_for(Option::is_some),
    );
    assert!(early.await.is_err(), "served by a stranger");
    // The roots arrive while it waits.
    std::fs::write(directory.path().join("roots"), &pki.root).unwrap();
    assert!(proxy.configured().await.clusters.contains_key("one"));
}

#[tokio::test]
async fn certificates_are_renewed_long_before_they_end() {
    let pki = Pki::new();
    let plane = Plane::start(&pki, world()).await;
    let directory = directory(&pki);
    let mut proxy = Proxy::start(&directory, plane.port, 6);
    let first = proxy.certified().await;
    let renewed = proxy
        .identity
        .wait_for(|now| now.as_ref().is_some_and(|now| *now != first));
    let renewed = timeout(LONG, renewed)
        .await
        .unwrap()
        .unwrap()
        .clone()
        .unwrap();
    assert!(renewed.leaf().not_after > first.leaf().not_after);
    assert!(!first.remaining(std::time::SystemTime::now()).is_zero());
}
