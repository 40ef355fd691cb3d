//! What people have from Istio, in the namespace where they have it: an IstioOperator, a ConfigMap of the injector, and
//! PeerAuthentication of the mesh and of a namespace.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, Pod, ResourceRequirements};
use kube::Api;
use serde_json::{Value, json};
use weft_e2e::{App, Mesh, Namespace, eventually, seconds};

const OPERATOR: &str = include_str!("../../seed/11-istiooperator.yaml");
const INJECTOR: &str = include_str!("../../seed/12-configmap-sidecar-injector.yaml");
const MESH_STRICT: &str = include_str!("../../seed/13-peerauthentication-mesh-strict.yaml");
const PRODUCTION_STRICT: &str =
    include_str!("../../seed/14-peerauthentication-production-strict.yaml");
const PAYMENT_STRICT: &str = include_str!("../../seed/04-peerauthentication-payment-strict.yaml");
/// The root namespace of these documents.
const ROOT: &str = "istio-system";

#[tokio::test]
async fn the_seeds_documents_of_istio_system_do_what_they_say() -> Result<()> {
    let mesh = Mesh::install(settings()?).await?;
    let namespace = mesh.namespace("e2e-istio").await?;
    let [app] = namespace.apps(["app"]).await?;
    control_plane_has_its_resources(&mesh).await?;
    has(
        &proxy(&app.pods().await?[0])?,
        &["100m", "128Mi", "2", "1Gi"],
    )?;
    the_injectors_config_map_counts_for_the_next_pod(&mesh, &namespace).await?;
    peers_are_checked_on_three_levels(&mesh).await?;
    namespace.delete().await?;
    mesh.cluster.delete_leftovers().await?;
    mesh.remove().await?;
    mesh.cluster.delete_namespace(ROOT).await
}

/// Row S35 for the control plane and the proxies: `11-istiooperator.yaml` with another apiVersion and kind.
fn settings() -> Result<Value> {
    let document: Value = serde_saphyr::from_str(OPERATOR)?;
    let mut spec = document["spec"].clone();
    spec["namespace"] = json!(ROOT);
    Ok(spec)
}

async fn control_plane_has_its_resources(mesh: &Mesh) -> Result<()> {
    let api: Api<Deployment> = Api::namespaced(mesh.cluster.client.clone(), ROOT);
    let spec = api.get("weft-control").await?.spec.context("a spec")?;
    let pod = spec.template.spec.context("a pod")?;
    let requests = pod.containers[0]
        .resources
        .clone()
        .and_then(|resources| resources.requests)
        .unwrap_or_default();
    ensure!(
        requests["cpu"].0 == "500m" && matches!(requests["memory"].0.as_str(), "2048Mi" | "2Gi"),
        "the control plane asks for {requests:?}"
    );
    let gateway = api.get("istio-ingressgateway").await?;
    let spec = gateway.spec.context("a spec")?;
    let pod = spec.template.spec.context("a pod")?;
    has(&pod.containers[0], &["100m", "128Mi", "2", "1Gi"])
}

/// Row S36.
async fn the_injectors_config_map_counts_for_the_next_pod(
    mesh: &Mesh,
    namespace: &Namespace,
) -> Result<()> {
    mesh.cluster.apply(ROOT, INJECTOR).await?;
    eventually(seconds(5), || async {
        let pod = namespace.try_pod().await?;
        has(&proxy(&pod)?, &["10m", "64Mi", "2", "1Gi"])?;
        has(&named(&pod, "weft-init")?, &["10m", "32Mi", "100m", "64Mi"])
    })
    .await
    .context("the ConfigMap counts within 5 s")?;
    let image = proxy(&namespace.try_pod().await?)?
        .image
        .unwrap_or_default();
    ensure!(
        image.contains("weft-proxy"),
        "Istio's image must be replaced: {image}"
    );
    mesh.cluster.delete(ROOT, INJECTOR).await
}

/// Rows S29, S37, S38.
async fn peers_are_checked_on_three_levels(mesh: &Mesh) -> Result<()> {
    let production = mesh.namespace("production").await?;
    let other = mesh.namespace("e2e-other").await?;
    let outside = mesh.cluster.namespace("e2e-outside", &[]).await?;
    let [stranger] = outside.apps(["stranger"]).await?;
    let [member, payment] = production.apps(["member", "payment-service"]).await?;
    let [elsewhere] = other.apps(["elsewhere"]).await?;

    other.apply(PAYMENT_STRICT).await?;
    production.apply(PAYMENT_STRICT).await?;
    eventually(seconds(10), || refused(&stranger, &payment)).await?;
    served(&stranger, &[&member, &elsewhere]).await?;

    mesh.cluster.apply("production", PRODUCTION_STRICT).await?;
    eventually(seconds(10), || refused(&stranger, &member)).await?;
    served(&stranger, &[&elsewhere]).await?;

    mesh.cluster.apply(ROOT, MESH_STRICT).await?;
    eventually(seconds(10), || refused(&stranger, &elsewhere)).await?;
    let permissive = PRODUCTION_STRICT.replace("STRICT", "PERMISSIVE");
    mesh.cluster.apply("production", &permissive).await?;
    let members = [&member];
    eventually(seconds(10), || served(&stranger, &members)).await?;
    refused(&stranger, &payment).await?;
    refused(&stranger, &elsewhere).await?;
    served(&member, &[&payment, &elsewhere]).await?;

    mesh.cluster.delete(ROOT, MESH_STRICT).await?;
    for namespace in [production, other, outside] {
        namespace.delete().await?;
    }
    Ok(())
}

/// Plaintext must end without an answer.
async fn refused(client: &App, server: &App) -> Result<()> {
    let answer = client.call(server).await?;
    ensure!(
        answer.status.is_none() && answer.body.is_empty(),
        "{} served {}: {answer:?}",
        server.name,
        client.name
    );
    Ok(())
}

async fn served(client: &App, servers: &[&App]) -> Result<()> {
    for server in servers {
        let answer = client.call(server).await?;
        ensure!(
            answer.status == Some(200),
            "{} refused {}: {answer:?}",
            server.name,
            client.name
        );
    }
    Ok(())
}

fn proxy(pod: &Pod) -> Result<Container> {
    named(pod, "weft-proxy")
}

fn named(pod: &Pod, name: &str) -> Result<Container> {
    let spec = pod.spec.clone().unwrap_or_default();
    let mut all = spec
        .init_containers
        .into_iter()
        .flatten()
        .chain(spec.containers);
    all.find(|container| container.name == name)
        .with_context(|| format!("the pod has no container {name}"))
}

/// CPU and memory that a container asks for, then what it is limited to.
fn has(container: &Container, expected: &[&str; 4]) -> Result<()> {
    let ResourceRequirements {
        requests, limits, ..
    } = container.resources.clone().unwrap_or_default();
    let (requests, limits) = (requests.unwrap_or_default(), limits.unwrap_or_default());
    let found =
        [&requests, &limits].map(|list| ["cpu", "memory"].map(|name| list[name].0.as_str()));
    ensure!(
        found.concat() == expected,
        "{} has {found:?}, not {expected:?}",
        container.name
    );
    Ok(())
}
