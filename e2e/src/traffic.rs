//! Traffic at a steady rate, half on kept and half on new connections, that says what failed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess};
use serde::Deserialize;
use tokio::io::AsyncReadExt;

use crate::{Namespace, exec};

/// Traffic that goes on until it is stopped.
pub struct Traffic {
    namespace: Namespace,
    pod: String,
    process: AttachedProcess,
}

impl fmt::Debug for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traffic")
    }
}

/// What became of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Report {
    /// Requests sent.
    pub sent: u64,
    /// Requests without the answer 200.
    pub failed: u64,
    /// Each kind of failure, with its number.
    pub faults: BTreeMap<String, u64>,
    /// Which pod answered how often.
    pub hosts: BTreeMap<String, u64>,
    /// When it first did, in milliseconds of the Unix epoch.
    pub first: BTreeMap<String, u64>,
    /// Good answers that took that many whole seconds.
    pub seconds: BTreeMap<u64, u64>,
}

impl Report {
    /// How many answers came from pods whose names begin so.
    pub fn answered_by(&self, start: &str) -> u64 {
        self.hosts
            .iter()
            .filter(|(host, _)| host.starts_with(start))
            .map(|(_, count)| count)
            .sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} requests failed: {:?}",
            self.failed, self.sent, self.faults
        )
    }
}

impl Traffic {
    pub(crate) async fn start(
        namespace: &Namespace,
        pod: &str,
        url: &str,
        per_second: u32,
    ) -> Result<Self> {
        let pods: Api<Pod> = Api::namespaced(namespace.cluster.client.clone(), &namespace.name);
        let rate = per_second.to_string();
        let how = AttachParams::default().container("app");
        let process = pods
            .exec(pod, ["/weft-echo", "load", url, "--rate", &rate], &how)
            .await?;
        Ok(Self {
            namespace: namespace.clone(),
            pod: pod.to_owned(),
            process,
        })
    }

    /// Lets it go on for a time.
    pub async fn go_on(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Ends it, waits for what was sent, and says what failed.
    ///
    /// # Errors
    /// When the client died, which proves nothing.
    pub async fn stop(mut self) -> Result<Report> {
        let mut stdout = self.process.stdout().context("its output")?;
        // A signal, because the API server does not always pass on the end of an input.
        let place = [self.namespace.name.as_str(), &self.pod, "app"];
        exec(&self.namespace.cluster, place, &["/weft-echo", "stop"]).await?;
        let mut text = String::new();
        stdout.read_to_string(&mut text).await?;
        serde_json::from_str(&text)
            .with_context(|| format!("the client ended without a report: {text:?}"))
    }
}
