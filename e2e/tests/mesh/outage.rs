//! Parts of the mesh are gone; what must go on goes on, what must not does not.

use anyhow::{Result, ensure};
use serde_json::json;
use weft_e2e::{
    AppSettings, Length, Mesh, SYSTEM, eventually, figure, is_ready, kill_proxy, seconds,
};

#[tokio::test]
async fn without_the_injector_only_namespaces_that_asked_for_it_are_blocked() -> Result<()> {
    let mesh = Mesh::install(json!({"injection": {"onOutage": "Block"}})).await?;
    let inside = mesh.namespace("e2e-blocked").await?;
    let outside = mesh.cluster.namespace("e2e-unaffected", &[]).await?;
    // The operator first, or it heals what this test breaks.
    mesh.cluster.scale(SYSTEM, "weft-operator", 0).await?;
    mesh.cluster.scale(SYSTEM, "weft-injector", 0).await?;

    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"},
        "spec": {"containers": [{"name": "app", "image": "localhost/weft-echo:dev", "args": ["serve", "http"]}]}})
        .to_string();
    let refusal = inside
        .apply(&pod)
        .await
        .err()
        .map(|fault| format!("{fault:#}"));
    outside.apps(["free"]).await?;

    mesh.cluster.scale(SYSTEM, "weft-operator", 2).await?;
    let refusal = refusal.unwrap_or_default();
    ensure!(
        refusal.contains("weft") && refusal.contains("inject"),
        "the refusal must name the webhook: {refusal:?}"
    );
    mesh.ready().await?;
    eventually(seconds(30), || inside.apply(&pod)).await?;
    inside.delete().await?;
    outside.delete().await
}

#[tokio::test]
async fn without_the_control_plane_traffic_goes_on_and_proxies_restart() -> Result<()> {
    let length = Length::chosen();
    let mesh = Mesh::install(json!({})).await?;
    let namespace = mesh.namespace("e2e-outage").await?;
    let [client, server] = namespace.apps(["client", "server"]).await?;
    let traffic = client.keep_calling(&server, 50).await?;
    mesh.cluster.scale(SYSTEM, "weft-operator", 0).await?;
    mesh.cluster.scale(SYSTEM, "weft-control", 0).await?;

    let late = namespace.start_app("late", &AppSettings::default()).await?;
    traffic.go_on(length.time(5, 180)).await;
    let report = traffic.stop().await?;
    figure(format_args!("the control plane gone: {report}"));
    ensure!(report.sent > 100 && report.failed == 0, "{report}");

    kill_proxy(&server.pod().await?).await?;
    let gap = client.await_answer(&server, length.time(8, 3)).await?;
    figure(format_args!("a killed proxy served again after {gap:?}"));
    ensure!(
        !late.pods().await?.iter().any(is_ready),
        "a pod without a certificate must wait"
    );

    mesh.cluster.scale(SYSTEM, "weft-control", 2).await?;
    let gap = client.await_answer(&late, length.time(15, 5)).await?;
    figure(format_args!(
        "a pod that waited served {gap:?} after the control plane's return"
    ));
    mesh.cluster.scale(SYSTEM, "weft-operator", 2).await?;
    mesh.ready().await?;
    namespace.delete().await
}
