//! Parts of the mesh are gone; what must go on goes on, what must not does not.

use std::time::Instant;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;
use weft_e2e::{
    AppSettings, Length, Mesh, SYSTEM, eventually, figure, is_injected, is_ready, kill_proxy,
    seconds,
};

/// The pods of the injector.
const INJECTORS: &str = "app=weft-injector";
const NO_PODS: &str = "
apiVersion: v1
kind: ResourceQuota
metadata: {name: no-pods}
spec: {hard: {pods: '0'}}
";

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
async fn pods_of_a_long_outage_of_the_injector_start_and_are_replaced_after_it() -> Result<()> {
    let mesh = Mesh::install(json!({"injection": {"outageThreshold": "10s"}})).await?;
    let namespace = mesh.namespace("e2e-fuse").await?;
    // Nobody mends a quota, and the operator cannot make pods against it.
    mesh.cluster.apply(SYSTEM, NO_PODS).await?;
    eventually(seconds(20), || async {
        mesh.cluster.kill_pods(SYSTEM, INJECTORS).await?;
        let left = mesh.cluster.pods(SYSTEM, INJECTORS).await?;
        ensure!(left.is_empty(), "an injector is there");
        Ok(())
    })
    .await?;
    eventually(seconds(20), || async {
        let admitted = namespace.try_pod().await;
        ensure!(admitted.is_err(), "an injector still answers");
        Ok(())
    })
    .await?;
    let began = Instant::now();
    let app = namespace.start_app("app", &AppSettings::default()).await?;
    let outcome = async {
        app.ready(1).await?;
        figure(format_args!(
            "without an injector a pod was ready after {:?}",
            began.elapsed()
        ));
        ensure!(
            !app.pods().await?.iter().any(is_injected),
            "nobody can have injected it"
        );
        let said = mesh.condition("InjectionHealthy").await?;
        ensure!(said.contains("AdmittingUninjected"), "{said}");
        Ok(())
    }
    .await;
    mesh.cluster.delete(SYSTEM, NO_PODS).await?;
    // The controller of the ReplicaSet has given up for a while; a change wakes it.
    mesh.cluster.touch_replica_sets(SYSTEM, INJECTORS).await?;
    outcome?;

    let began = Instant::now();
    eventually(seconds(90), || async {
        app.ready(1).await?;
        ensure!(
            app.pods().await?.iter().all(is_injected),
            "not replaced yet"
        );
        let said = mesh.condition("InjectionHealthy").await?;
        ensure!(said.contains("Serving"), "{said}");
        Ok(())
    })
    .await?;
    figure(format_args!(
        "the pod had its sidecar {:?} after the outage",
        began.elapsed()
    ));
    namespace.delete().await
}

#[tokio::test]
async fn pods_are_admitted_while_the_webhooks_certificate_is_replaced() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    let namespace = mesh.namespace("e2e-webhook").await?;
    let secrets: Api<Secret> = Api::namespaced(mesh.cluster.client.clone(), SYSTEM);
    let old = secrets.get("weft-injector-tls").await?.data;
    drop(
        secrets
            .delete("weft-injector-tls", &DeleteParams::default())
            .await?,
    );
    let end = Instant::now() + seconds(30);
    let mut created = 0;
    while Instant::now() < end {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("pod-{created}")},
            "spec": {"schedulerName": "nobody", "containers": [{"name": "app", "image": "localhost/weft-echo:dev"}]}});
        namespace.apply(&pod.to_string()).await?;
        created += 1;
    }
    let new = secrets.get("weft-injector-tls").await?.data;
    ensure!(
        new.is_some() && new != old,
        "the certificate was not replaced"
    );
    let pods = mesh.cluster.pods(&namespace.name, "").await?;
    ensure!(pods.iter().all(is_injected), "one was not injected");
    figure(format_args!(
        "{created} pods admitted while the webhook's certificate was replaced"
    ));
    namespace.delete().await
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
