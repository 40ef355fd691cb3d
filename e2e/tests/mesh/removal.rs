//! A mesh that pods need does not go away under them.

use anyhow::{Result, ensure};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use weft_e2e::{MESH, Mesh, eventually, figure, seconds};

#[tokio::test]
async fn removal_waits_for_the_pods_and_takes_their_sidecars_out_when_told_to() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    mesh.cluster.delete_leftovers().await?;
    let namespace = mesh.namespace("e2e-uninject").await?;
    let [client, server] = namespace.apps(["client", "server"]).await?;

    drop(mesh.api().delete(MESH, &DeleteParams::default()).await?);
    eventually(seconds(10), || async {
        let said = mesh.condition("Removed").await?;
        let counted = said.contains("InUse") && said.contains("e2e-uninject: 2");
        ensure!(counted, "it must say who holds the removal up: {said}");
        Ok(())
    })
    .await?;
    let answer = client.call(&server).await?;
    ensure!(
        answer.status == Some(200),
        "the mesh must go on: {answer:?}"
    );

    let uninject = Patch::Merge(json!({"spec": {"uninstall": {"policy": "Uninject"}}}));
    mesh.api()
        .patch(MESH, &PatchParams::default(), &uninject)
        .await?;
    let began = std::time::Instant::now();
    mesh.gone().await?;
    figure(format_args!(
        "two sidecars taken out and the mesh gone after {:?}",
        began.elapsed()
    ));
    for app in [&client, &server] {
        app.ready(1).await?;
        let pods = app.pods().await?;
        ensure!(
            !pods.iter().any(weft_e2e::is_injected),
            "{} has a sidecar",
            app.name
        );
    }
    let answer = client.call(&server).await?;
    ensure!(answer.status == Some(200), "without the mesh: {answer:?}");
    namespace.delete().await
}
