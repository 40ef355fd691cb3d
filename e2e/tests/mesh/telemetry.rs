//! What both ends of a call say about it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use serde_json::{Value, json};
use weft_e2e::{App, AppSettings, Mesh, eventually, page, seconds};

#[tokio::test]
async fn both_ends_count_a_call_with_the_labels_of_istio() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    let namespace = mesh.namespace("e2e-metrics").await?;
    let scraped = AppSettings {
        annotations: vec![
            ("prometheus.io/scrape", "true"),
            ("prometheus.io/port", "8080"),
            ("prometheus.io/path", "/metrics"),
        ],
        ..AppSettings::default()
    };
    let [client] = namespace.apps(["client"]).await?;
    let server = namespace.app("server", &scraped).await?;
    eventually(seconds(10), || async {
        let answer = client.call(&server).await?;
        ensure!(answer.status == Some(200), "{answer:?}");
        Ok(())
    })
    .await?;
    for (app, reporter, security) in [
        (&client, "source", "unknown"),
        (&server, "destination", "mutual_tls"),
    ] {
        let expected = expected(reporter, security);
        eventually(seconds(10), || counted(app, &expected)).await?;
    }
    let merged = page(&server, 15020, "/stats/prometheus").await?;
    ensure!(
        merged.contains("echo_requests_total 1") && merged.contains("istio_requests_total{"),
        "the application's own metrics and the proxy's on one page: {merged}"
    );
    namespace.delete().await
}

#[tokio::test]
async fn the_access_logs_of_both_ends_tell_of_a_request_by_its_id() -> Result<()> {
    let log = json!({"accessLogFile": "/dev/stdout", "accessLogEncoding": "JSON"});
    let mesh = Mesh::install(json!({"meshConfig": log})).await?;
    let namespace = mesh.namespace("e2e-log").await?;
    let [client, server] = namespace.apps(["client", "server"]).await?;
    let answer = client.call(&server).await?;
    let id = answer.header("x-request-id")?.context("an id")?;
    for app in [&client, &server] {
        let line = eventually(seconds(10), || logged(app, &id)).await?;
        ensure!(
            line["response_code"] == 200 && line["method"] == "GET",
            "{}: {line}",
            app.name
        );
    }
    namespace.delete().await
}

/// The labels of `istio_requests_total` for a call of `client` to `server`.
fn expected(reporter: &str, security: &str) -> BTreeMap<String, String> {
    let name = "e2e-metrics";
    let service = format!("server.{name}.svc.cluster.local");
    let principal = |account| format!("spiffe://cluster.local/ns/{name}/sa/{account}");
    let (source, destination) = (principal("client"), principal("server"));
    [
        ("reporter", reporter),
        ("source_workload", "client"),
        ("source_canonical_service", "client"),
        ("source_canonical_revision", "latest"),
        ("source_workload_namespace", name),
        ("source_principal", &source),
        ("source_app", "client"),
        ("source_version", "unknown"),
        ("source_cluster", "Kubernetes"),
        ("destination_workload", "server"),
        ("destination_workload_namespace", name),
        ("destination_principal", &destination),
        ("destination_app", "server"),
        ("destination_version", "unknown"),
        ("destination_service", &service),
        ("destination_canonical_service", "server"),
        ("destination_canonical_revision", "latest"),
        ("destination_service_name", "server"),
        ("destination_service_namespace", name),
        ("destination_cluster", "Kubernetes"),
        ("request_protocol", "http"),
        ("response_code", "200"),
        ("grpc_response_status", ""),
        ("response_flags", "-"),
        ("connection_security_policy", security),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

/// The proxy of the application must have exactly this series.
async fn counted(app: &App, expected: &BTreeMap<String, String>) -> Result<()> {
    let text = page(app, 15090, "/stats/prometheus").await?;
    let series: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("istio_requests_total{"))
        .filter_map(|line| line.split_once('}'))
        .map(|(labels, _)| parsed(labels))
        .collect();
    ensure!(
        series.contains(expected),
        "{} has {series:#?}, not {expected:#?}",
        app.name
    );
    Ok(())
}

fn parsed(labels: &str) -> BTreeMap<String, String> {
    labels
        .split("\",")
        .filter_map(|label| label.split_once("=\""))
        .map(|(key, value)| (key.to_owned(), value.trim_end_matches('"').to_owned()))
        .collect()
}

/// The line of the application's sidecar about a request.
async fn logged(app: &App, id: &str) -> Result<Value> {
    let pods: Api<Pod> = Api::namespaced(app.namespace.cluster.client.clone(), &app.namespace.name);
    let of_proxy = LogParams {
        container: Some("weft-proxy".to_owned()),
        ..LogParams::default()
    };
    let text = pods.logs(&app.pod().await?, &of_proxy).await?;
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let mut found = lines.filter(|line: &Value| line["request_id"] == id);
    found
        .next()
        .with_context(|| format!("{} has not logged {id}: {text}", app.name))
}
