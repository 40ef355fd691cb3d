//! Pods come and go; their callers do not notice.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use weft_e2e::{App, Length, Mesh, figure};

/// Kubernetes tells the moment of readiness to the second, so what it names as late may be this much less.
const ROUNDING_MS: u64 = 1_000;

#[tokio::test]
async fn scaling_under_load_fails_no_request_and_new_pods_are_used_at_once() -> Result<()> {
    let length = Length::chosen();
    let latest = length.pick(5_000, 1_000) + ROUNDING_MS;
    let mesh = Mesh::install(json!({})).await?;
    let namespace = mesh.namespace("e2e-scale").await?;
    let [client, server] = namespace.apps(["client", "server"]).await?;
    server.scale(3).await?;
    server.ready(3).await?;

    let old = ready_times(&server).await?;
    let traffic = client.keep_calling(&server, 50).await?;
    server.scale(10).await?;
    server.ready(10).await?;
    let mut ready_at = ready_times(&server).await?;
    ready_at.retain(|pod, _| !old.contains_key(pod));
    ensure!(ready_at.len() == 7, "new pods: {ready_at:?}");
    // The last of them must have had the time that is promised, too.
    traffic.go_on(Duration::from_millis(latest)).await;
    server.scale(1).await?;
    server.ready(1).await?;
    let report = traffic.stop().await?;

    ensure!(
        report.sent > 200,
        "too little traffic to prove anything: {report}"
    );
    ensure!(report.failed == 0, "{report}");
    figure(format_args!("3 to 10 to 1 pods: {report}"));
    for (pod, ready) in ready_at {
        let first = report
            .first
            .get(&pod)
            .with_context(|| format!("{pod} got no traffic: {:?}", report.hosts))?;
        let after = first.saturating_sub(ready);
        figure(format_args!(
            "{pod} got its first request {after} ms after the second of its readiness"
        ));
        ensure!(
            after <= latest,
            "{pod} got its first request {after} ms after it was ready"
        );
    }
    namespace.delete().await
}

/// When each pod became ready, in milliseconds of the Unix epoch.
async fn ready_times(app: &App) -> Result<BTreeMap<String, u64>> {
    let mut times = BTreeMap::new();
    for pod in app.pods().await? {
        let conditions = pod
            .status
            .unwrap_or_default()
            .conditions
            .unwrap_or_default();
        let ready = conditions
            .into_iter()
            .find(|condition| condition.type_ == "Ready")
            .context("the condition Ready")?;
        let time = ready
            .last_transition_time
            .context("its time")?
            .0
            .as_millisecond();
        times.insert(pod.metadata.name.context("a name")?, u64::try_from(time)?);
    }
    Ok(times)
}
