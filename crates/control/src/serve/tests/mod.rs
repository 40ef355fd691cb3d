//! The whole port on loopback: TLS, token, certificate, stream; nothing is a stand-in but the cluster.

mod cluster;

use cluster::{Cluster, NAME, Served};
use std::time::SystemTime;
use tonic::Code;
use weft_identity::{Identity, SpiffeId, csr};
use weft_proto::istio::IstioCertificateRequest;
use weft_proto::type_url::{CLUSTER, LISTENER};

const CART: &str = "spiffe://cluster.local/ns/shop/sa/cart";
const NODE: &str = "sidecar~10.0.0.7~cart-1.shop~shop.svc.cluster.local";

fn asked(id: &str) -> (csr::Request, IstioCertificateRequest) {
    let id: SpiffeId = id.parse().unwrap();
    let request = csr::request(&id);
    let message = IstioCertificateRequest {
        csr: request.csr_pem.clone(),
        validity_duration: 3600,
        metadata: None,
    };
    (request, message)
}

/// The cart's identity, as its proxy gets it.
async fn issued(served: &Served) -> Identity {
    let (key, request) = asked(CART);
    let token = served.cluster.token(|_| {});
    let chain = served
        .certificate(&token, request)
        .await
        .unwrap()
        .cert_chain;
    let (roots, chain) = chain.split_last().unwrap();
    Identity::parse(&chain.concat(), &key.key_pem, roots).unwrap()
}

#[tokio::test]
async fn a_pod_gets_its_certificate_and_with_it_its_configuration() {
    let served = Served::start(Cluster::new()).await;
    let identity = issued(&served).await;
    assert_eq!(identity.leaf().id, Some(CART.parse().unwrap()));
    assert!(identity.remaining(SystemTime::now()).as_secs() <= 3600);

    let mut client = served.proxy(Some(&identity), NODE).await.unwrap();
    let clusters = client.next().await.unwrap();
    assert_eq!(clusters.type_url, CLUSTER);
    client.ack(CLUSTER, &clusters.nonce);
    let names: Vec<_> = clusters
        .resources
        .iter()
        .map(|cluster| cluster.name.as_str())
        .collect();
    assert!(
        names.contains(&"outbound|80||cart.shop.svc.cluster.local"),
        "{names:?}"
    );
    let listeners = client.next().await.unwrap();
    assert_eq!(listeners.type_url, LISTENER);
}

#[tokio::test]
async fn a_change_in_the_cluster_reaches_the_proxy_alone_and_soon() {
    let served = Served::start(Cluster::new()).await;
    let mut client = served
        .proxy(Some(&issued(&served).await), NODE)
        .await
        .unwrap();
    for _ in 0..2 {
        let update = client.next().await.unwrap();
        client.ack(&update.type_url, &update.nonce);
    }
    served.cluster.add(
        "
        apiVersion: v1
        kind: Service
        metadata: {name: new, namespace: shop}
        spec: {clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9], ports: [{name: http, port: 80}]}
    ",
    );
    let update = client.next().await.unwrap();
    let names: Vec<_> = update
        .resources
        .iter()
        .map(|cluster| cluster.name.as_str())
        .collect();
    assert_eq!(names, ["outbound|80||new.shop.svc.cluster.local"]);
}

#[tokio::test]
async fn nothing_is_told_to_who_has_no_certificate() {
    let served = Served::start(Cluster::new()).await;
    let refusal = served.proxy(None, NODE).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_node_of_another_namespace_or_account_is_refused() {
    let served = Served::start(Cluster::new()).await;
    let identity = issued(&served).await;
    for node in [
        "sidecar~10.0.0.8~till-1.bank~bank.svc.cluster.local",
        "sidecar~10.0.0.9~admin-1.shop~shop.svc.cluster.local", // runs as another account
    ] {
        let mut client = served.proxy(Some(&identity), node).await.unwrap();
        let refusal = client.next().await.unwrap_err();
        assert_eq!(refusal.code(), Code::PermissionDenied, "{node}: {refusal}");
    }
}

#[tokio::test]
async fn a_caller_is_a_pod_that_exists() {
    let served = Served::start(Cluster::new()).await;
    let table = [
        (
            "another pod of the same name",
            served
                .cluster
                .token(|claims| claims["kubernetes.io"]["pod"]["uid"] = "other".into()),
        ),
        (
            "a pod that is gone",
            served
                .cluster
                .token(|claims| claims["kubernetes.io"]["pod"]["name"] = "cart-0".into()),
        ),
        (
            "another audience",
            served
                .cluster
                .token(|claims| claims["aud"] = "kubernetes".into()),
        ),
        ("another cluster's token", Cluster::new().token(|_| {})),
        ("no token", String::new()),
    ];
    for (rule, token) in table {
        let refusal = served.certificate(&token, asked(CART).1).await.unwrap_err();
        assert_eq!(refusal.code(), Code::Unauthenticated, "{rule}: {refusal}");
    }
}

#[tokio::test]
async fn a_caller_gets_no_name_but_its_own() {
    let served = Served::start(Cluster::new()).await;
    let token = served.cluster.token(|_| {});
    let (_, request) = asked("spiffe://cluster.local/ns/shop/sa/admin");
    let refusal = served.certificate(&token, request).await.unwrap_err();
    assert_eq!(refusal.code(), Code::InvalidArgument);
    assert!(refusal.message().contains("sa/cart"), "{refusal}");
}

#[tokio::test]
async fn a_broken_secret_stops_signing_but_not_serving() {
    let served = Served::start(Cluster::new()).await;
    let identity = issued(&served).await;
    served.cluster.break_ca();
    let refusal = served
        .certificate(&served.cluster.token(|_| {}), asked(CART).1)
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), Code::Unavailable);
    let mut client = served.proxy(Some(&identity), NODE).await.unwrap();
    assert!(client.next().await.is_ok());
}

#[tokio::test]
async fn at_a_shutdown_streams_are_told_to_connect_again() {
    let served = Served::start(Cluster::new()).await;
    let mut client = served
        .proxy(Some(&issued(&served).await), NODE)
        .await
        .unwrap();
    served.stop.cancel();
    let end = loop {
        match client.next().await {
            Ok(update) => client.ack(&update.type_url, &update.nonce),
            Err(end) => break end,
        }
    };
    assert_eq!(end.code(), Code::Unavailable, "{end}");
    served.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_server_is_known_by_its_names_in_the_cluster_only() {
    let served = Served::start(Cluster::new()).await;
    assert!(served.channel(None, NAME).await.is_ok());
    assert!(
        served
            .channel(None, "weft-control.other.svc")
            .await
            .is_err()
    );
}
