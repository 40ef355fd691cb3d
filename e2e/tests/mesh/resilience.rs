//! Servers that fail are asked again, or left alone for a while.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use weft_e2e::{App, Mesh, eventually, figure, seconds};

const REVIEWS_ROUTE: &str = include_str!("../../seed/02-virtualservice-reviews-route.yaml");
const REVIEWS_SUBSETS: &str = include_str!("../../seed/03-destinationrule-reviews.yaml");
const POOLS: &str = include_str!("../../seed/20-destinationrule-connection-optimization.yaml");

#[tokio::test]
async fn a_failing_version_is_retried_as_often_as_the_seeds_route_says() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    let prod = mesh.namespace("prod").await?;
    prod.versions("reviews", &["v1", "v2"]).await?;
    let [client] = prod.apps(["client"]).await?;
    prod.apply(REVIEWS_SUBSETS).await?;
    prod.apply(REVIEWS_ROUTE).await?;
    let call = async |failures: &str| {
        let fail = format!("x-echo-fail-first: {failures}");
        client
            .call_with(
                "http://reviews.prod.svc.cluster.local/",
                &["--header", &fail],
            )
            .await
    };
    eventually(seconds(20), || async {
        let answer = call("3").await?;
        ensure!(answer.status == Some(200), "{answer:?}");
        let pod = answer.seen()?["host"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        ensure!(pod.starts_with("reviews-v1"), "{pod}");
        Ok(())
    })
    .await?;
    let answer = call("4").await?;
    ensure!(
        answer.status == Some(503),
        "three retries, not four: {answer:?}"
    );
    prod.delete().await
}

#[tokio::test]
async fn a_subset_without_pods_answers_503_and_the_others_go_on() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    let prod = mesh.namespace("prod").await?;
    prod.versions("reviews", &["v1"]).await?;
    let [client] = prod.apps(["client"]).await?;
    prod.apply(REVIEWS_SUBSETS).await?;
    prod.apply(REVIEWS_ROUTE).await?;
    let url = "http://reviews.prod.svc.cluster.local/";
    eventually(seconds(20), || async {
        let answer = client
            .call_with(url, &["--header", "end-user: vip"])
            .await?;
        ensure!(
            answer.status == Some(503) && answer.body == "no healthy upstream",
            "{answer:?}"
        );
        Ok(())
    })
    .await?;
    let answer = client.call_with(url, &[]).await?;
    ensure!(answer.status == Some(200), "{answer:?}");
    prod.delete().await
}

#[tokio::test]
async fn a_pod_that_fails_ten_times_in_a_row_is_left_alone_for_thirty_seconds() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    let namespace = mesh.namespace("e2e-outlier").await?;
    let [client, server] = namespace.apps(["client", "backend-service"]).await?;
    server.scale(2).await?;
    server.ready(2).await?;
    namespace.apply(POOLS).await?;
    let bad = server.pod().await?;
    eventually(seconds(20), || async {
        let seen = spread(&client, &server, &bad, 6).await?;
        ensure!(seen.len() == 2, "both pods must be used: {seen:?}");
        Ok(())
    })
    .await?;

    // Half of the calls fail, so that ten in a row on one pod come with twenty or so.
    let began = std::time::Instant::now();
    eventually(seconds(25), || async {
        let seen = spread(&client, &server, &bad, 8).await?;
        ensure!(!seen.contains_key(&bad), "still used: {seen:?}");
        Ok(())
    })
    .await
    .context("a pod with ten errors in a row is ejected")?;
    let ejected = began.elapsed();
    eventually(seconds(60), || async {
        let seen = spread(&client, &server, &bad, 4).await?;
        ensure!(seen.contains_key(&bad), "not used yet: {seen:?}");
        Ok(())
    })
    .await?;
    let back = began.elapsed();
    figure(format_args!(
        "a failing pod left alone after {ejected:?}, used again after {back:?}"
    ));
    ensure!(back >= seconds(30), "it came back after {back:?}");
    namespace.delete().await
}

/// How often each pod answers so many calls, of which `bad` fails its own.
async fn spread(
    client: &App,
    server: &App,
    bad: &str,
    calls: usize,
) -> Result<BTreeMap<String, usize>> {
    let mut seen = BTreeMap::new();
    for _ in 0..calls {
        let host = format!("x-echo-host: {bad}");
        let words = ["--header", "x-echo-status: 500", "--header", &host];
        let answer = client.call_with(&server.url(), &words).await?;
        let pod = answer.seen()?["host"]
            .as_str()
            .context("a host")?
            .to_owned();
        *seen.entry(pod).or_default() += 1;
    }
    Ok(seen)
}
