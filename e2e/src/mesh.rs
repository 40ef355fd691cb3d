//! The mesh as a user installs it: the chart, then one MeshOperator.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, PostParams};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::{Cluster, Namespace, eventually, seconds};

/// The namespace of the operator and of the mesh.
pub const SYSTEM: &str = "weft-system";
/// The name of the tests' MeshOperator.
pub const MESH: &str = "mesh";

/// The chart is installed once in a run.
static CHART: OnceCell<()> = OnceCell::const_new();

/// Longest time from `kubectl apply` to Ready, with the images at hand.
const READY: Duration = Duration::from_secs(90);

/// An installed mesh.
#[derive(Clone, Debug)]
pub struct Mesh {
    /// Where it is installed.
    pub cluster: Cluster,
}

impl Mesh {
    /// Installs it, or brings an installed one to these settings (the MeshOperator's spec).
    ///
    /// # Errors
    /// The conditions of the MeshOperator when it does not become Ready.
    pub async fn install(spec: Value) -> Result<Self> {
        let cluster = Cluster::connect().await?;
        CHART.get_or_try_init(install_chart).await?;
        let mesh = Self { cluster };
        mesh.configure(spec).await?;
        Ok(mesh)
    }

    /// Brings the MeshOperator to exactly these settings and waits until it is Ready.
    ///
    /// # Errors
    /// Its conditions when it does not become Ready.
    pub async fn configure(&self, spec: Value) -> Result<()> {
        let params = PostParams::default();
        self.move_to(spec["namespace"].as_str().unwrap_or(SYSTEM))
            .await?;
        // Not server-side apply: the API server makes a null of a spec whose last owned field goes.
        if let Some(mut present) = self.api().get_opt(MESH).await? {
            present.data["spec"] = spec;
            self.api().replace(MESH, &params, &present).await?;
        } else {
            let new = json!({
                "apiVersion": "weft.mesh/v1alpha1", "kind": "MeshOperator", "metadata": {"name": MESH}, "spec": spec,
            });
            let new = serde_json::from_value(new)?;
            self.api().create(&params, &new).await?;
        }
        self.ready().await
    }

    /// Removes a mesh of another namespace, because a mesh cannot move.
    async fn move_to(&self, namespace: &str) -> Result<()> {
        let Some(present) = self.api().get_opt(MESH).await? else {
            return Ok(());
        };
        if present.data["spec"]["namespace"].as_str().unwrap_or(SYSTEM) == namespace {
            return Ok(());
        }
        self.cluster.delete_leftovers().await?;
        self.remove().await
    }

    /// Waits until the MeshOperator is Ready in its present generation.
    ///
    /// # Errors
    /// Its conditions when it does not become so.
    pub async fn ready(&self) -> Result<()> {
        eventually(READY, || async {
            let object = self.api().get(MESH).await?;
            let conditions = &object.data["status"]["conditions"];
            let ready = conditions
                .as_array()
                .into_iter()
                .flatten()
                .any(|condition| {
                    condition["type"] == "Ready"
                        && condition["status"] == "True"
                        && condition["observedGeneration"].as_i64() == object.metadata.generation
                });
            if !ready {
                bail!("the mesh is not Ready: {conditions:#}");
            }
            Ok(())
        })
        .await
    }

    /// What a condition of the MeshOperator says: status, reason and message.
    ///
    /// # Errors
    /// When it has no such condition.
    pub async fn condition(&self, kind: &str) -> Result<String> {
        let object = self.api().get(MESH).await?;
        let conditions = object.data["status"]["conditions"].as_array();
        let mut found = conditions.into_iter().flatten();
        let condition = found
            .find(|condition| condition["type"] == kind)
            .with_context(|| format!("no condition {kind}"))?;
        let part = |name: &str| condition[name].as_str().unwrap_or_default().to_owned();
        Ok(["status", "reason", "message"].map(part).join(" "))
    }

    /// Makes a namespace whose pods join the mesh.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn namespace(&self, name: &str) -> Result<Namespace> {
        self.cluster
            .namespace(name, &[("weft.mesh/inject", "enabled")])
            .await
    }

    /// Deletes the MeshOperator and waits until it is gone.
    ///
    /// # Errors
    /// What it says of itself when it stays.
    pub async fn remove(&self) -> Result<()> {
        drop(self.api().delete(MESH, &DeleteParams::default()).await?);
        self.gone().await
    }

    /// Waits until a deleted MeshOperator is gone.
    ///
    /// # Errors
    /// What it says of itself when it stays.
    pub async fn gone(&self) -> Result<()> {
        eventually(READY, || async {
            match self.api().get_opt(MESH).await? {
                None => Ok(()),
                Some(object) => bail!("the MeshOperator stays: {:#}", object.data["status"]),
            }
        })
        .await
    }

    /// The API of MeshOperators.
    pub fn api(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("weft.mesh", "v1alpha1", "MeshOperator");
        Api::all_with(
            self.cluster.client.clone(),
            &ApiResource::from_gvk_with_plural(&kind, "meshoperators"),
        )
    }
}

/// Installs the chart, or upgrades what is installed.
async fn install_chart() -> Result<()> {
    let chart = repository().join("charts/weft");
    let chart = chart.to_str().context("a path in UTF-8")?;
    helm(&[
        "upgrade",
        "--install",
        "weft",
        chart,
        "--namespace",
        SYSTEM,
        "--create-namespace",
        "--wait",
        "--timeout",
        "90s",
    ])
    .await?;
    let crds: Api<CustomResourceDefinition> = Api::all(Cluster::connect().await?.client);
    eventually(seconds(10), || async {
        crds.get("meshoperators.weft.mesh")
            .await
            .context("the chart brings the CRDs")
    })
    .await?;
    Ok(())
}

/// Runs Helm.
async fn helm(words: &[&str]) -> Result<()> {
    let output = Command::new("helm")
        .args(words)
        .output()
        .await
        .context("helm is not on the path")?;
    if !output.status.success() {
        bail!(
            "helm {words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// The root of the repository.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
