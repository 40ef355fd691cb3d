//! Real streams on loopback: our own client, and requests made by hand where it is too polite.

mod fixture;

use super::*;
use crate::{Client, Resource, Set};
use discovery::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use fixture::{Fixture, ends, hello, node, world};
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream};
use tonic::transport::Channel;
use weft_proto::pb::google::protobuf::Any;
use weft_proto::type_url::{CLUSTER, ENDPOINTS, LISTENER, ROUTE};

async fn names(client: &mut Client) -> (Vec<String>, Vec<String>) {
    let update = client.next().await.unwrap();
    client.ack(&update.type_url, &update.nonce);
    let names = update
        .resources
        .into_iter()
        .map(|resource| resource.name)
        .collect();
    (names, update.removed)
}

#[tokio::test]
async fn a_client_hears_of_the_world_and_of_its_changes() {
    let mut fixture = Fixture::start(Some(world(&[(CLUSTER, &[("a", "1"), ("b", "1")])]))).await;
    let mut client = fixture.client().await;
    assert_eq!(
        names(&mut client).await,
        (vec!["a".into(), "b".into()], vec![])
    );

    fixture.publish(world(&[(CLUSTER, &[("a", "1"), ("c", "1")])]));
    assert_eq!(names(&mut client).await, (vec!["c".into()], vec![]));
    assert_eq!(names(&mut client).await, (vec![], vec!["b".into()]));

    assert_eq!(
        fixture.events.recv().await,
        Some(Event::Connected(Variant::Delta))
    );
    drop(client);
    fixture.event(|event| *event == Event::Disconnected).await;
}

#[tokio::test]
async fn a_client_waits_until_there_is_a_world() {
    let fixture = Fixture::start(None).await;
    let mut client = fixture.client().await;
    fixture.publish(world(&[(CLUSTER, &[("a", "1")])]));
    assert_eq!(names(&mut client).await.0, ["a"]);
}

#[tokio::test]
async fn a_node_that_is_not_the_peers_own_is_refused() {
    let fixture = Fixture::start(Some(world(&[]))).await;
    let mut client = Client::new(node("stranger"));
    client.subscribe(CLUSTER, &["*".into()]);
    client.connect(fixture.channel().await).await.unwrap();
    let refusal = client.next().await.unwrap_err();
    assert_eq!(refusal.code(), tonic::Code::PermissionDenied);
    assert_eq!(refusal.message(), "not your node");
}

#[tokio::test]
async fn a_refused_response_is_reported_by_name() {
    let mut fixture = Fixture::start(Some(world(&[(CLUSTER, &[("bad", "1")])]))).await;
    let mut client = fixture.client().await;
    let update = client.next().await.unwrap();
    client.nack(
        CLUSTER,
        &update.nonce,
        &["bad".into()],
        "no such thing".into(),
    );
    let event = fixture
        .event(|event| matches!(event, Event::Nacked { .. }))
        .await;
    let names = vec!["bad".into()];
    assert_eq!(
        event,
        Event::Nacked {
            type_url: CLUSTER.into(),
            names,
            message: "no such thing".into()
        }
    );
}

#[tokio::test]
async fn a_big_set_comes_in_parts_each_after_the_answer_to_the_last() {
    let content = "x".repeat(700 << 10);
    let entries: Vec<_> = ["a", "b", "c"].map(|name| (name, content.as_str())).into();
    let fixture = Fixture::start(Some(world(&[(CLUSTER, &entries)]))).await;
    let mut client = fixture.client().await;
    assert_eq!(names(&mut client).await.0, ["a", "b"]);
    assert_eq!(names(&mut client).await.0, ["c"]);
}

#[tokio::test]
async fn what_is_pointed_at_comes_before_and_goes_after_what_points_to_it() {
    let old: &[(&str, &[(&str, &str)])] = &[
        (CLUSTER, &[("old", "1")]),
        (ENDPOINTS, &[("old", "1")]),
        (ROUTE, &[("80", "1")]),
    ];
    let mut fixture = Fixture::start(Some(world(old))).await;
    let mut client = Client::new(node("sidecar"));
    for type_url in [ROUTE, LISTENER, ENDPOINTS, CLUSTER] {
        client.subscribe(type_url, &["*".into()]);
    }
    client.connect(fixture.channel().await).await.unwrap();
    for _ in 0..4 {
        names(&mut client).await;
        fixture.pushed().await;
    }
    for _ in 0..4 {
        fixture
            .event(|event| matches!(event, Event::Acked { .. }))
            .await;
    }

    fixture.publish(world(&[
        (CLUSTER, &[("new", "1")]),
        (ENDPOINTS, &[("new", "1")]),
        (ROUTE, &[("80", "22")]),
    ]));
    let mut pushes = Vec::new();
    while pushes.len() < 5 {
        names(&mut client).await;
        pushes.push(fixture.pushed().await);
    }
    let expected = [
        (CLUSTER, 1, 0),
        (ENDPOINTS, 1, 0),
        (ROUTE, 1, 0),
        (ENDPOINTS, 0, 1),
        (CLUSTER, 0, 1),
    ];
    assert_eq!(
        pushes,
        expected.map(|(type_url, changes, gone)| (Arc::from(type_url), changes, gone))
    );
}

#[tokio::test]
async fn a_changed_cluster_brings_its_endpoints_again() {
    let fixture = Fixture::start(Some(world(&[
        (CLUSTER, &[("a", "1")]),
        (ENDPOINTS, &[("a", "1")]),
    ])))
    .await;
    let mut client = Client::new(node("envoy"));
    client.subscribe(CLUSTER, &["*".into()]);
    client.subscribe(ENDPOINTS, &["a".into()]);
    client.connect(fixture.channel().await).await.unwrap();
    for _ in 0..2 {
        names(&mut client).await;
    }

    fixture.publish(world(&[
        (CLUSTER, &[("a", "22")]),
        (ENDPOINTS, &[("a", "1")]),
    ]));
    let (first, second) = (client.next().await.unwrap(), client.next().await.unwrap());
    assert_eq!([&*first.type_url, &*second.type_url], [CLUSTER, ENDPOINTS]);
    assert_eq!(second.resources[0].name, "a");
}

#[tokio::test]
async fn a_returning_client_is_told_that_a_resource_it_may_hold_is_gone() {
    let mut fixture =
        Fixture::start(Some(world(&[(CLUSTER, &[("good", "1"), ("bad", "1")])]))).await;
    let mut client = fixture.client().await;
    let update = client.next().await.unwrap();
    // Envoy applies the good half of a response, and forgets the versions of both.
    client.nack(
        CLUSTER,
        &update.nonce,
        &["good".into(), "bad".into()],
        "bad".into(),
    );
    fixture
        .event(|event| matches!(event, Event::Nacked { .. }))
        .await;
    fixture.publish(world(&[(CLUSTER, &[("bad", "22")])]));

    client.connect(fixture.channel().await).await.unwrap();
    assert_eq!(names(&mut client).await, (vec!["bad".into()], vec![]));
    assert_eq!(names(&mut client).await, (vec![], vec!["good".into()]));
}

#[tokio::test]
async fn a_server_that_goes_away_tells_its_clients_to_connect_again() {
    let fixture = Fixture::start(Some(world(&[]))).await;
    let mut client = fixture.client().await;
    names(&mut client).await;
    fixture.gate.worlds.lock().unwrap().take();
    let end = client.next().await.unwrap_err();
    assert_eq!(end.code(), tonic::Code::Unavailable);
    assert!(end.message().contains("connect again"), "{end}");
}

#[tokio::test]
async fn more_types_than_any_client_needs_end_the_stream() {
    let fixture = Fixture::start(Some(world(&[]))).await;
    let requests = (0..40)
        .map(|n| hello(&format!("type.example/{n}")))
        .collect();
    let mut responses = ends(&fixture, requests).await;
    let refusal = loop {
        match responses.message().await {
            Ok(response) => assert!(response.is_some()),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(refusal.code(), tonic::Code::ResourceExhausted);
}

#[tokio::test]
async fn a_first_request_without_a_node_is_refused() {
    let fixture = Fixture::start(Some(world(&[]))).await;
    let request = discovery::DiscoveryRequest {
        node: None,
        ..hello(CLUSTER)
    };
    let refusal = ends(&fixture, vec![request])
        .await
        .message()
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), tonic::Code::InvalidArgument);
}

#[tokio::test]
async fn in_the_older_variant_a_cluster_stays_until_no_route_points_to_it() {
    let mut fixture = Fixture::start(Some(world(&[
        (CLUSTER, &[("old", "1")]),
        (ROUTE, &[("80", "1")]),
    ])))
    .await;
    let (requests, outbound) = unbounded_channel();
    let mut client = AggregatedDiscoveryServiceClient::new(fixture.channel().await);
    for type_url in [CLUSTER, ROUTE] {
        requests.send(hello(type_url)).unwrap();
    }
    let outbound = UnboundedReceiverStream::new(outbound);
    let mut responses = client
        .stream_aggregated_resources(outbound)
        .await
        .unwrap()
        .into_inner();
    let mut next = async || {
        let response = responses.message().await.unwrap().unwrap();
        let ack = discovery::DiscoveryRequest {
            response_nonce: response.nonce,
            version_info: response.version_info,
            ..hello(&response.type_url)
        };
        requests.send(ack).unwrap();
        (response.type_url, response.resources.len())
    };
    next().await;
    next().await;
    for _ in 0..2 {
        fixture
            .event(|event| matches!(event, Event::Acked { .. }))
            .await;
    }

    fixture.publish(world(&[
        (CLUSTER, &[("new", "1")]),
        (ROUTE, &[("80", "22")]),
    ]));
    let pushes = [next().await, next().await, next().await];
    let expected = [(CLUSTER, 2), (ROUTE, 1), (CLUSTER, 1)];
    assert_eq!(
        pushes,
        expected.map(|(type_url, count)| (type_url.to_owned(), count))
    );
}
