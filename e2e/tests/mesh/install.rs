//! From nothing to Ready, and back.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::json;
use weft_e2e::{MESH, Mesh, SYSTEM};

#[tokio::test]
async fn removal_leaves_nothing_but_the_ca_which_a_reinstall_adopts() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    let root = root_certificate(&mesh).await?;
    let owned = format!("weft.mesh/owner={MESH}");
    let before = mesh.cluster.labelled(&owned).await?;
    ensure!(
        before.len() > 10,
        "an installed mesh has more objects than {before:?}"
    );

    mesh.cluster.delete_leftovers().await?;
    mesh.remove().await?;
    let left = mesh.cluster.labelled(&owned).await?;
    let kept = ["weft-ca", "weft-ca-root"].map(|name| format!("Secret {SYSTEM}/{name}"));
    ensure!(
        left.iter().all(|object| kept.contains(object)),
        "left behind: {left:?}"
    );
    let namespace = mesh.namespace("e2e-after-removal").await?;
    let [app] = namespace
        .apps(["app"])
        .await
        .context("pods must start where the mesh was")?;
    ensure!(
        app.pods().await?[0]
            .spec
            .as_ref()
            .is_some_and(|spec| spec.init_containers.is_none())
    );
    namespace.delete().await?;

    let mesh = Mesh::install(json!({})).await?;
    ensure!(
        root_certificate(&mesh).await? == root,
        "the reinstalled mesh has another root"
    );
    Ok(())
}

async fn root_certificate(mesh: &Mesh) -> Result<Vec<u8>> {
    let secrets: Api<Secret> = Api::namespaced(mesh.cluster.client.clone(), SYSTEM);
    let secret = secrets.get("weft-ca-root").await?;
    let data = secret.data.unwrap_or_default();
    Ok(data
        .get("root-cert.pem")
        .context("weft-ca-root has no root-cert.pem")?
        .0
        .clone())
}
