//! Passes of the operator against an API server that remembers every write.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod api;

use api::Server;
use serde_json::json;
use std::sync::Arc;
use weft_api::operator::MeshOperator;
use weft_operator::context::Context;
use weft_operator::{crds, reconcile};

const MESH: &str = "/apis/weft.mesh/v1alpha1/meshoperators/mesh";

fn cluster() -> Arc<Server> {
    let namespace =
        |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let mesh = json!({"apiVersion": "weft.mesh/v1alpha1", "kind": "MeshOperator",
        "metadata": {"name": "mesh", "uid": "u", "generation": 1, "resourceVersion": "1"}, "spec": {}});
    Server::with([
        ("/api/v1/namespaces/weft-system", namespace("weft-system")),
        ("/api/v1/namespaces/shop", namespace("shop")),
        (MESH, mesh),
    ])
}

/// One pass; the writes that it made.
async fn pass(server: &Arc<Server>, cx: &Arc<Context>) -> Vec<String> {
    let mesh: MeshOperator = serde_json::from_value(server.object(MESH)).unwrap();
    reconcile(Arc::new(mesh), cx.clone()).await.unwrap();
    server.writes()
}

fn context(server: &Arc<Server>) -> Arc<Context> {
    let image = "localhost/weft-operator:dev".to_owned();
    Arc::new(Context::new(
        server.client(),
        image,
        ("weft-system".to_owned(), "test".to_owned()),
    ))
}

#[tokio::test]
async fn a_settled_mesh_gets_no_writes() {
    let server = cluster();
    let cx = context(&server);
    let mut passes = Vec::new();
    while passes.len() < 6
        && passes
            .last()
            .is_none_or(|writes: &Vec<_>| !writes.is_empty())
    {
        passes.push(pass(&server, &cx).await);
    }
    assert!(
        passes[0].len() > 15,
        "an installation writes: {:?}",
        passes[0]
    );
    assert_eq!(passes.last(), Some(&vec![]), "{passes:#?}");
    let status = server.object(MESH)["status"].clone();
    assert_eq!(status["phase"], "Ready", "{status:#}");

    // A new operator, which remembers nothing, writes nothing either.
    assert_eq!(pass(&server, &context(&server)).await, Vec::<String>::new());
}

#[tokio::test]
async fn only_what_somebody_changed_is_written_again() {
    let server = cluster();
    let cx = context(&server);
    for _ in 0..4 {
        pass(&server, &cx).await;
    }
    let injector = "/apis/apps/v1/namespaces/weft-system/deployments/weft-injector";
    server.change(injector, &json!({"spec": {"replicas": 0}}));

    let writes = pass(&server, &cx).await;
    let objects: Vec<_> = writes
        .iter()
        .filter(|w| w.starts_with("PATCH") && !w.contains("events"))
        .collect();
    assert_eq!(objects[0], &format!("PATCH {injector}"), "{writes:?}");
    assert!(
        objects
            .iter()
            .skip(1)
            .all(|write| write.contains("meshoperators")),
        "{writes:?}"
    );
    assert_eq!(server.object(injector)["spec"]["replicas"], 2);
}

#[tokio::test]
async fn a_definition_that_is_refused_keeps_no_other() {
    let server = cluster();
    let refused = "gateways.networking.istio.io";
    server.refuse(refused);
    assert!(!crds::bring(&server.client()).await);

    let writes = server.writes();
    assert_eq!(writes.len(), weft_api::crds().len(), "{writes:?}");
    let last = "virtualservices.networking.istio.io";
    let path = |name| format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
    assert_eq!(
        server.object(&path(last))["spec"]["group"],
        "networking.istio.io"
    );
}

#[tokio::test]
async fn a_pass_that_is_refused_says_so_on_the_object() {
    let server = cluster();
    let cx = context(&server);
    server.refuse("mesh"); // the finalizer cannot be written
    let mesh: MeshOperator = serde_json::from_value(server.object(MESH)).unwrap();
    assert!(reconcile(Arc::new(mesh), cx).await.is_err());

    let status = server.object(MESH)["status"].clone();
    assert_eq!(status["phase"], "Blocked", "{status:#}");
    assert_eq!(
        status["conditions"][0]["reason"], "ApplyFailed",
        "{status:#}"
    );
}
