//! Programs run inside pods.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::AttachParams;
use tokio::io::AsyncReadExt;

use crate::Cluster;

/// What a program in a pod came to.
#[derive(Clone, Debug)]
pub struct Output {
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
    /// Empty when it ended well.
    pub fault: String,
}

/// Runs a program in a pod's container to its end.
///
/// # Errors
/// When it cannot be started; a bad end is in [`Output::fault`].
pub async fn exec(
    cluster: &Cluster,
    [namespace, pod, container]: [&str; 3],
    words: &[&str],
) -> Result<Output> {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
    let how = AttachParams::default().container(container).stdin(false);
    let mut process = pods
        .exec(pod, words.iter().copied(), &how)
        .await
        .with_context(|| format!("cannot run {words:?} in {namespace}/{pod}"))?;
    let mut streams = (
        process.stdout().context("its output")?,
        process.stderr().context("its complaints")?,
    );
    let status = process.take_status().context("its status")?;
    let (mut stdout, mut stderr) = (String::new(), String::new());
    tokio::try_join!(
        streams.0.read_to_string(&mut stdout),
        streams.1.read_to_string(&mut stderr)
    )?;
    let ended = status
        .await
        .filter(|status| status.status.as_deref() != Some("Success"));
    Ok(Output {
        stdout,
        stderr,
        fault: ended.and_then(|status| status.message).unwrap_or_default(),
    })
}
