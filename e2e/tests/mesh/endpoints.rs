//! Pods come and go; their callers do not notice.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use serde_json::json;
use weft_e2e::{App, Length, Mesh, eventually, figure, is_ready, seconds};

#[tokio::test]
async fn scaling_under_load_fails_no_request_and_new_pods_are_used_at_once() -> Result<()> {
    let length = Length::chosen();
    let latest = length.pick(5_000, 1_000);
    let mesh = Mesh::install(json!({})).await?;
    let namespace = mesh.namespace("e2e-scale").await?;
    let [client, server] = namespace.apps(["client", "server"]).await?;
    server.scale(3).await?;
    server.ready(3).await?;

    let old: Vec<_> = names(&server).await?;
    let noted = Arc::new(Mutex::new(BTreeMap::new()));
    let notes = tokio::spawn(note_ready_times(server.clone(), Arc::clone(&noted)));
    let traffic = client.keep_calling(&server, 50).await?;
    server.scale(10).await?;
    server.ready(10).await?;
    let ready_at = eventually(seconds(5), || async {
        let mut ready_at = noted.lock().expect("nobody panicked").clone();
        ready_at.retain(|pod, _| !old.contains(pod));
        ensure!(ready_at.len() == 7, "new pods: {ready_at:?}");
        Ok(ready_at)
    })
    .await?;
    // The last of them must have had the time that is promised, too.
    traffic.go_on(Duration::from_millis(latest)).await;
    server.scale(1).await?;
    server.ready(1).await?;
    let report = traffic.stop().await?;
    notes.abort();

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
            "{pod} got its first request {after} ms after it was seen ready"
        ));
        ensure!(
            after <= latest,
            "{pod} got its first request {after} ms after it was ready"
        );
    }
    namespace.delete().await
}

async fn names(app: &App) -> Result<Vec<String>> {
    let pods = app.pods().await?;
    Ok(pods.iter().map(ResourceExt::name_any).collect())
}

/// Notes when each pod of an application is first seen ready, in milliseconds of the Unix epoch.
async fn note_ready_times(app: App, noted: Arc<Mutex<BTreeMap<String, u64>>>) {
    let pods: Api<Pod> = Api::namespaced(app.namespace.cluster.client.clone(), &app.namespace.name);
    let which = watcher::Config::default().labels(&format!("app={}", app.name));
    let mut events = pin!(watcher(pods, which).applied_objects());
    while let Some(event) = events.next().await {
        // A watch that breaks begins anew by itself.
        let Ok(pod) = event else { continue };
        if is_ready(&pod) {
            let mut noted = noted.lock().expect("nobody panicked");
            noted.entry(pod.name_any()).or_insert_with(now);
        }
    }
}

/// Milliseconds of the Unix epoch.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(now.expect("a clock after 1970").as_millis())
        .expect("a clock before the year 584 million")
}
