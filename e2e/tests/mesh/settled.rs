//! A mesh that is as it should be is left alone; one that is not is mended, whoever of the operators dies.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use http::Request;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;
use weft_e2e::{Cluster, Length, Mesh, SYSTEM, eventually, figure, seconds};

/// Longest time until what was deleted is there again.
const HEALED: std::time::Duration = seconds(10);
/// Until a Lease ends that nobody gave back, and the next operator has worked.
const TAKEN_OVER: std::time::Duration = seconds(40);

/// Kinds that Kubernetes' own programs write in a cluster where nothing happens, and Leases.
const OF_OTHERS: &[&str] = &[
    "leases",
    "events",
    "nodes",
    "serviceaccounts",
    "tokenreviews",
    "subjectaccessreviews",
    "selfsubjectaccessreviews",
];

#[tokio::test]
async fn a_settled_mesh_is_not_written_to() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    mesh.cluster.delete_leftovers().await?;
    let namespace = mesh.namespace("e2e-settled").await?;
    namespace.apps(["client", "server"]).await?;
    // What the new pods called for is still being written.
    quiet(&mesh.cluster).await?;

    let before = writes(&mesh.cluster).await?;
    let time = Length::chosen().time(30, 600);
    tokio::time::sleep(time).await;
    let after = writes(&mesh.cluster).await?;
    figure(format_args!(
        "a settled mesh: {} writes in {time:?} but those of Leases, events, nodes and reviews",
        total(&after) - total(&before)
    ));
    ensure!(
        before == after,
        "written in {time:?}: {:?}",
        after
            .iter()
            .filter(|(key, count)| before.get(*key) != Some(count))
            .collect::<Vec<_>>()
    );
    namespace.delete().await
}

#[tokio::test]
async fn what_is_deleted_comes_back_whichever_operator_dies() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    let took = heal(&mesh, "weft-injector", HEALED).await?;
    figure(format_args!("a deleted Deployment was back after {took:?}"));

    kill(&mesh, &leader(&mesh).await?).await?;
    let took = heal(&mesh, "weft-control", TAKEN_OVER).await?;
    figure(format_args!("with the leader killed, after {took:?}"));

    for pod in mesh
        .cluster
        .pods(SYSTEM, "app.kubernetes.io/name=weft-operator")
        .await?
    {
        kill(&mesh, &pod.metadata.name.context("a name")?).await?;
    }
    let took = heal(&mesh, "weft-injector", TAKEN_OVER).await?;
    figure(format_args!("with both operators killed, after {took:?}"));
    mesh.ready().await
}

/// Deletes a Deployment of the mesh and waits until it is there again.
async fn heal(mesh: &Mesh, name: &str, limit: std::time::Duration) -> Result<std::time::Duration> {
    let api: Api<Deployment> = Api::namespaced(mesh.cluster.client.clone(), SYSTEM);
    let old = api.get(name).await?.metadata.uid;
    drop(api.delete(name, &DeleteParams::default()).await?);
    let start = Instant::now();
    eventually(limit, || async {
        let new = api.get(name).await?.metadata;
        ensure!(
            new.uid != old && new.deletion_timestamp.is_none(),
            "{name} is the old one"
        );
        Ok(start.elapsed())
    })
    .await
}

/// The operator that works.
async fn leader(mesh: &Mesh) -> Result<String> {
    let api: Api<Lease> = Api::namespaced(mesh.cluster.client.clone(), SYSTEM);
    let spec = api.get("weft-operator").await?.spec.unwrap_or_default();
    spec.holder_identity.context("nobody leads")
}

/// Kills a pod of the mesh's namespace without a word.
async fn kill(mesh: &Mesh, pod: &str) -> Result<()> {
    let api: Api<k8s_openapi::api::core::v1::Pod> =
        Api::namespaced(mesh.cluster.client.clone(), SYSTEM);
    drop(
        api.delete(pod, &DeleteParams::default().grace_period(0))
            .await?,
    );
    Ok(())
}

/// Waits until five seconds pass without a write.
async fn quiet(cluster: &Cluster) -> Result<()> {
    eventually(seconds(60), || async {
        let before = writes(cluster).await?;
        tokio::time::sleep(seconds(5)).await;
        ensure!(writes(cluster).await? == before, "still being written");
        Ok(())
    })
    .await
}

fn total(writes: &BTreeMap<String, u64>) -> u64 {
    writes.values().sum()
}

/// How many writes that were no dry runs the API server has answered, by its own count (`apiserver_request_total`).
async fn writes(cluster: &Cluster) -> Result<BTreeMap<String, u64>> {
    let request = Request::get("/metrics").body(Vec::new())?;
    let text = cluster.client.request_text(request).await?;
    let mut counts = BTreeMap::new();
    for line in text
        .lines()
        .filter(|line| line.starts_with("apiserver_request_total{"))
    {
        let (labels, count) = line.rsplit_once(' ').context("a sample")?;
        let label = |name: &str| {
            let (_, rest) = labels.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value)
        };
        let (verb, resource) = (
            label("verb").unwrap_or_default(),
            label("resource").unwrap_or_default(),
        );
        let wrote = matches!(
            verb,
            "POST" | "PUT" | "PATCH" | "APPLY" | "DELETE" | "DELETECOLLECTION"
        );
        if wrote && label("dry_run") == Some("") && !OF_OTHERS.contains(&resource) {
            *counts.entry(format!("{verb} {resource}")).or_default() +=
                count.parse::<f64>()? as u64;
        }
    }
    ensure!(!counts.is_empty(), "the API server counts no writes at all");
    Ok(counts)
}
