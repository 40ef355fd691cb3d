//! What a pod knows of the mesh and of services outside: rows S39, S40 and S44 of the documents that people have.

use anyhow::{Context, Result, ensure};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};
use weft_e2e::{App, AppSettings, Mesh, Namespace, admin, eventually, exec, page, seconds};

const EXTERNAL_API: &str = include_str!("../../seed/15-serviceentry-external-api.yaml");
const RESTRICTED: &str = include_str!("../../seed/16-sidecar-restrict-egress.yaml");
const OPTIMIZED: &str = include_str!("../../seed/19-sidecar-optimized.yaml");
/// The host of the seed's ServiceEntry. No DNS knows it: its address is automatic, its endpoint is in this cluster.
const HOST: &str = "api.external.com";
/// An address that belongs to nobody (RFC 5737).
const NOWHERE: &str = "203.0.113.1:443";

#[tokio::test]
async fn only_the_seeds_service_outside_is_reached_where_the_registry_is_all() -> Result<()> {
    let only = json!({"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}});
    let mesh = Mesh::install(json!({ "meshConfig": only })).await?;
    let world = World::start(&mesh).await?;
    let external = external_service(&mesh).await?;
    world.production.apply(&pointed_at(&external)?).await?;

    // By its server name, at an address that is nobody's; and by an address of its own, where DNS is captured.
    eventually(seconds(20), || reached(&world.client, NOWHERE, HOST)).await?;
    refused(&world.client, NOWHERE, "other.example.com").await?;
    let captured = AppSettings {
        annotations: vec![("weft.mesh/dns-capture", "true")],
        ..AppSettings::default()
    };
    let captured = world.production.app("captured", &captured).await?;
    let by_name = format!("{HOST}:443");
    eventually(seconds(20), || reached(&captured, &by_name, HOST)).await?;
    refused(&captured, NOWHERE, "other.example.com").await?;
    let counted = format!("destination_service=\"{HOST}\"");
    let metrics = page(&world.client, 15090, "/stats/prometheus").await?;
    ensure!(metrics.contains(&counted), "no {counted} in {metrics}");
    status(&world.client, &world.elsewhere.url(), 200).await?;

    the_seeds_sidecar_restricts(&world).await?;
    external.delete().await?;
    world.end().await
}

/// Row S40, with the third host as it is written now and as the seed had it.
async fn the_seeds_sidecar_restricts(world: &World) -> Result<()> {
    world.production.apply(RESTRICTED).await?;
    let url = world.elsewhere.url();
    eventually(seconds(20), || status(&world.client, &url, 502)).await?;
    status(&world.client, &world.neighbour.url(), 200).await?;
    reached(&world.client, NOWHERE, HOST).await?;
    let clusters = admin(&world.client, "/clusters").await?;
    ensure!(
        clusters.contains(HOST) && !clusters.contains("e2e-other"),
        "the proxy knows of other namespaces: {clusters}"
    );

    let bare = RESTRICTED.replace("*/api.external.com", HOST);
    world.production.apply(&bare).await?;
    let told = eventually(seconds(20), || not_accepted(&world.production)).await?;
    ensure!(
        told.contains("did you mean `*/api.external.com`"),
        "no remedy in {told}"
    );
    // Its other hosts count: the entry is in the namespace of `./*` as well.
    reached(&world.client, NOWHERE, HOST).await?;
    status(&world.client, &url, 502).await
}

#[tokio::test]
async fn the_seeds_sidecar_counts_for_the_pods_that_it_selects() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    let world = World::start(&mesh).await?;
    let settings = AppSettings::default();
    let selected = world.production.app("high-performance", &settings).await?;
    world.production.apply(OPTIMIZED).await?;
    let url = world.elsewhere.url();
    eventually(seconds(20), || status(&selected, &url, 502)).await?;
    refused(&selected, NOWHERE, "other.example.com").await?;
    status(&selected, &world.neighbour.url(), 200).await?;
    status(&world.client, &url, 200).await?;
    let metrics = page(&selected, 15090, "/stats/prometheus").await?;
    ensure!(
        metrics.contains("destination_service_name=\"BlackHoleCluster\""),
        "what is refused must be counted: {metrics}"
    );
    world.end().await
}

/// The namespace of the seed, and another.
struct World {
    production: Namespace,
    client: App,
    neighbour: App,
    other: Namespace,
    elsewhere: App,
}

impl World {
    async fn start(mesh: &Mesh) -> Result<Self> {
        let production = mesh.namespace("production").await?;
        let other = mesh.namespace("e2e-other").await?;
        let [client, neighbour] = production.apps(["client", "neighbour"]).await?;
        let [elsewhere] = other.apps(["elsewhere"]).await?;
        Ok(Self {
            production,
            client,
            neighbour,
            other,
            elsewhere,
        })
    }

    async fn end(self) -> Result<()> {
        self.production.delete().await?;
        self.other.delete().await
    }
}

/// A TLS server that the mesh knows nothing of.
async fn external_service(mesh: &Mesh) -> Result<Namespace> {
    let outside = mesh.cluster.namespace("e2e-outside", &[]).await?;
    let labels = json!({"app": "external"});
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "external", "labels": labels},
        "spec": {"containers": [{"name": "tls", "image": "localhost/weft-echo:dev", "args": ["serve", "tls"],
            "imagePullPolicy": "IfNotPresent"}]},
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "external"},
        "spec": {"selector": labels, "ports": [{"name": "tls", "port": 443, "targetPort": 9443}]},
    });
    for object in [pod, service] {
        outside.apply(&object.to_string()).await?;
    }
    Ok(outside)
}

/// The seed's ServiceEntry, its one endpoint given by another name than the host's.
fn pointed_at(outside: &Namespace) -> Result<String> {
    let mut entry: Value = serde_saphyr::from_str(EXTERNAL_API)?;
    let address = format!("external.{}.svc.cluster.local", outside.name);
    entry["spec"]["endpoints"] = json!([{ "address": address }]);
    Ok(entry.to_string())
}

async fn status(client: &App, url: &str, wanted: u16) -> Result<()> {
    let answer = client.call_with(url, &[]).await?;
    ensure!(
        answer.status == Some(wanted),
        "{} asked {url}: {answer:?}",
        client.name
    );
    Ok(())
}

async fn reached(client: &App, address: &str, name: &str) -> Result<()> {
    let answer = tls(client, address, name).await?;
    ensure!(answer["name"] == name, "{address} for {name}: {answer}");
    Ok(())
}

async fn refused(client: &App, address: &str, name: &str) -> Result<()> {
    let answer = tls(client, address, name).await?;
    let fault = answer["error"].as_str();
    let fault = fault.with_context(|| format!("{address} for {name} must be refused: {answer}"))?;
    ensure!(!fault.contains("no answer within"), "not reset: {fault}");
    Ok(())
}

async fn tls(client: &App, address: &str, name: &str) -> Result<Value> {
    let pod = client.pod().await?;
    let place = [client.namespace.name.as_str(), &pod, "app"];
    let words = ["/weft-echo", "tls", address, name];
    let output = exec(&client.namespace.cluster, place, &words).await?;
    serde_json::from_str(&output.stdout).with_context(|| format!("{output:?}"))
}

/// What the condition `Accepted` of the seed's Sidecar says when it is `False`.
async fn not_accepted(namespace: &Namespace) -> Result<String> {
    let kind = GroupVersionKind::gvk("networking.istio.io", "v1", "Sidecar");
    let resource = ApiResource::from_gvk_with_plural(&kind, "sidecars");
    let client = namespace.cluster.client.clone();
    let api = Api::<DynamicObject>::namespaced_with(client, &namespace.name, &resource);
    let object = api.get("restrict-egress").await?;
    let conditions = object.data["status"]["conditions"].as_array();
    let condition = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Accepted");
    let condition = condition.context("no condition Accepted")?;
    ensure!(condition["status"] == "False", "{condition}");
    Ok(condition["message"].as_str().unwrap_or_default().to_owned())
}
