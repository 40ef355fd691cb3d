//! The documents that people already have do what they say; the files in `e2e/seed` are applied as they are.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use weft_e2e::{
    Answer, App, AppSettings, Length, Mesh, Namespace, Report, eventually, figure, seconds,
};

const REVIEWS_ROUTE: &str = include_str!("../../seed/02-virtualservice-reviews-route.yaml");
const REVIEWS_SUBSETS: &str = include_str!("../../seed/03-destinationrule-reviews.yaml");
const PAYMENT_ACCESS: &str = include_str!("../../seed/05-authorizationpolicy-payment-access.yaml");
const CANARY: &str = include_str!("../../seed/09-virtualservice-canary.yaml");
const FAULT: &str = include_str!("../../seed/10-virtualservice-fault-injection.yaml");

/// Requests per second of the stories that count.
const RATE: u32 = 100;

#[tokio::test]
async fn a_header_chooses_the_version_as_the_seeds_virtual_service_says() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    let prod = mesh.namespace("prod").await?;
    prod.versions("reviews", &["v1", "v2"]).await?;
    let [client] = prod.apps(["client"]).await?;
    prod.apply(REVIEWS_SUBSETS).await?;
    prod.apply(REVIEWS_ROUTE).await?;

    let url = "http://reviews.prod.svc.cluster.local/";
    let vip = ["--header", "end-user: vip"];
    eventually(seconds(20), || from(&client, url, &vip, "reviews-v2")).await?;
    for _ in 0..Length::chosen().pick(10, 200) {
        from(&client, url, &vip, "reviews-v2").await?;
        from(&client, url, &["--header", "End-User: vip"], "reviews-v2").await?;
        from(&client, url, &["--header", "end-user: VIP"], "reviews-v1").await?;
        from(&client, url, &[], "reviews-v1").await?;
    }
    prod.delete().await
}

#[tokio::test]
async fn a_canary_gets_its_share_and_no_request_fails_when_it_changes() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    let prod = mesh.namespace("prod").await?;
    let app = prod.versions("myapp", &["v1", "v2"]).await?;
    let [client] = prod.apps(["client"]).await?;
    prod.apply(&subsets("myapp")).await?;
    prod.apply(CANARY).await?;
    let url = "http://myapp.prod.svc.cluster.local/";
    eventually(seconds(20), || from(&client, url, &[], "myapp-v2")).await?;

    let report = counted(&client, &app).await?;
    ensure!(report.failed == 0, "{report}");
    let share = report.answered_by("myapp-v2");
    figure(format_args!("canary of 10 %: {share} of {}", report.sent));
    ensure!(
        is_share(share, report.sent, 0.1),
        "{share} of {} went to v2",
        report.sent
    );

    let traffic = client.keep_calling(&app, RATE).await?;
    for (old, new) in [(50, 50), (100, 0), (0, 100)] {
        let changed = CANARY
            .replace("weight: 90", &format!("weight: {old}"))
            .replace("weight: 10", &format!("weight: {new}"));
        prod.apply(&changed).await?;
    }
    eventually(seconds(20), || from(&client, url, &[], "myapp-v2")).await?;
    let report = traffic.stop().await?;
    ensure!(report.failed == 0, "while the weights changed: {report}");
    prod.delete().await
}

#[tokio::test]
async fn a_tenth_of_the_requests_is_delayed_by_the_seeds_fault() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    let prod = mesh.namespace("prod").await?;
    let app = prod.versions("ratings", &["v1"]).await?;
    let [client] = prod.apps(["client"]).await?;
    prod.apply(&subsets("ratings")).await?;
    prod.apply(FAULT).await?;
    eventually(seconds(20), || delayed(&client, &app)).await?;

    let report = counted(&client, &app).await?;
    ensure!(report.failed == 0, "{report}");
    let late = report.seconds.get(&3).copied().unwrap_or_default();
    figure(format_args!("delay of 10 %: {late} of {}", report.sent));
    ensure!(
        is_share(late, report.sent, 0.1),
        "{late} of {} took three seconds: {:?}",
        report.sent,
        report.seconds
    );
    prod.delete().await
}

#[tokio::test]
async fn only_the_caller_method_and_path_of_the_seeds_policy_are_allowed() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    // The document names a service account of the namespace `default`, where nothing else joins the mesh.
    let default = Namespace {
        cluster: mesh.cluster.clone(),
        name: "default".to_owned(),
    };
    let settings = AppSettings {
        labels: vec![("sidecar.istio.io/inject", "true")],
        ..AppSettings::default()
    };
    let prod = mesh.namespace("prod").await?;
    let [payment, other] = prod.apps(["payment-service", "order-service"]).await?;
    let outside = mesh.cluster.namespace("e2e-outside", &[]).await?;
    let [stranger] = outside.apps(["stranger"]).await?;
    let order = default.app("order-service", &settings).await?;
    prod.apply(PAYMENT_ACCESS).await?;
    let outcome = payment_access(&order, &[&other, &stranger], &payment).await;
    order.remove().await?;
    outside.delete().await?;
    prod.delete().await?;
    outcome
}

/// What row S30 promises.
async fn payment_access(order: &App, others: &[&App], payment: &App) -> Result<()> {
    let post = ["--method", "POST"];
    let url = |path: &str| format!("http://payment-service.prod{path}");
    eventually(seconds(20), || denied(order, url("/payments"), &[])).await?;
    for path in ["/payments", "/payments?x=1", "/a/../payments"] {
        let answer = order.call_with(&url(path), &post).await?;
        ensure!(answer.status == Some(200), "{path}: {answer:?}");
    }
    denied(order, url("/payments/1"), &post).await?;
    for other in others {
        denied(other, url("/payments"), &post).await?;
    }
    payment
        .ready(1)
        .await
        .context("probes must go on under the policy")
}

/// Asks, and the answer must be the one that Envoy gives to who may not.
async fn denied(client: &App, url: String, words: &[&str]) -> Result<()> {
    let answer = client.call_with(&url, words).await?;
    ensure!(
        answer.status == Some(403) && answer.body == "RBAC: access denied",
        "{} must not {words:?} {url}: {answer:?}",
        client.name
    );
    Ok(())
}

/// Asks, and a pod whose name begins so must answer.
async fn from(client: &App, url: &str, words: &[&str], pod: &str) -> Result<()> {
    let answer: Answer = client.call_with(url, words).await?;
    ensure!(answer.status == Some(200), "{answer:?}");
    let host = answer.seen()?["host"]
        .as_str()
        .context("the name of the pod")?
        .to_owned();
    ensure!(
        host.starts_with(pod),
        "{words:?} went to {host}, not to {pod}"
    );
    Ok(())
}

/// A request takes three seconds.
async fn delayed(client: &App, server: &App) -> Result<()> {
    let start = std::time::Instant::now();
    let answer = client.call(server).await?;
    ensure!(answer.status == Some(200), "{answer:?}");
    ensure!(start.elapsed() >= seconds(3), "not delayed");
    Ok(())
}

/// Enough traffic to count shares of it.
async fn counted(client: &App, server: &App) -> Result<Report> {
    let traffic = client.keep_calling(server, RATE).await?;
    traffic.go_on(Length::chosen().time(12, 100)).await;
    traffic.stop().await
}

/// Whether a count is within three standard deviations of a share; four in the short form, which runs too often for three.
fn is_share(count: u64, of: u64, share: f64) -> bool {
    let deviations = Length::chosen().pick(4, 3) as f64;
    let (count, of) = (count as f64, of as f64);
    (count - of * share).abs() <= deviations * (of * share * (1.0 - share)).sqrt()
}

/// Subsets by the label `version`, which the seed has for `reviews` only.
fn subsets(name: &str) -> String {
    REVIEWS_SUBSETS
        .replace("reviews-destination", name)
        .replace("reviews.prod", &format!("{name}.prod"))
}
