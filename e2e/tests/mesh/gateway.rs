//! The edge of the mesh: `samples/gateway.yaml` as it is, asked by clients that know nothing of the mesh.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use weft_e2e::{App, AppSettings, Issuer, Mesh, Namespace, SYSTEM, eventually, seconds};

const SAMPLE: &str = include_str!("../../../samples/gateway.yaml");
const HOST: &str = "shop.example.com";
const PRODUCTS: &str = "http://public.weft-system/products/1";

#[tokio::test]
async fn clients_outside_reach_the_shop_by_the_gateway_of_the_sample() -> Result<()> {
    let mut documents = serde_saphyr::from_multiple::<Value>(SAMPLE)?;
    let mesh = Mesh::install(documents.remove(0)["spec"].clone()).await?;
    let namespace = mesh.namespace("e2e-gateway").await?;
    namespace.app("frontend", &AppSettings::default()).await?;
    namespace.apply(&one_port("frontend").to_string()).await?;
    let outside = mesh.cluster.namespace("e2e-outside", &[]).await?;
    let [client] = outside.apps(["client"]).await?;
    for document in &documents {
        namespace.apply(&document.to_string()).await?;
    }
    let host = format!("host: {HOST}");
    eventually(seconds(20), || status(&client, PRODUCTS, &host, 200)).await?;
    the_gateway_calls_with_its_own_identity(&client, &host).await?;
    status(&client, PRODUCTS, "host: other.example.com", 404).await?;
    status(&client, "http://public.weft-system/basket", &host, 404).await?;
    https_shows_the_certificate_of_the_secret(&mesh).await?;
    plaintext_is_sent_to_https(&namespace, &client, &documents[0]).await?;

    mesh.cluster
        .delete(SYSTEM, &secret("", "").to_string())
        .await?;
    outside.delete().await?;
    namespace.delete().await?;
    mesh.configure(json!({})).await
}

/// A route without a port leads to a service with several ports only where one of them is the gateway's own.
fn one_port(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}})
}

async fn status(client: &App, url: &str, host: &str, wanted: u16) -> Result<()> {
    let answer = client.call_with(url, &["--header", host]).await?;
    ensure!(answer.status == Some(wanted), "{host} {url}: {answer:?}");
    Ok(())
}

/// Between the gateway and the application is mutual TLS, and what the client says of itself is not believed.
async fn the_gateway_calls_with_its_own_identity(client: &App, host: &str) -> Result<()> {
    let forged = "x-forwarded-client-cert: URI=spiffe://cluster.local/ns/x/sa/admin";
    let words = ["--header", host, "--header", forged];
    let answer = client.call_with(PRODUCTS, &words).await?;
    let seen = answer.header("x-forwarded-client-cert")?;
    let seen = seen.context("the gateway's certificate")?;
    let identity = "URI=spiffe://cluster.local/ns/weft-system/sa/public-service-account";
    ensure!(
        seen.contains(identity) && !seen.contains("admin"),
        "the application saw {seen}"
    );
    Ok(())
}

async fn https_shows_the_certificate_of_the_secret(mesh: &Mesh) -> Result<()> {
    let pods = mesh.cluster.pods(SYSTEM, "app=public").await?;
    let pod = pods.first().and_then(|pod| pod.metadata.name.clone());
    let pod = pod.context("a pod of the gateway")?;
    let issuer = Issuer::new()?;
    let place = ([SYSTEM, pod.as_str()], 8443);
    let asked = || issuer.ask(&mesh.cluster, place, (HOST, "/products/1"));
    ensure!(asked().await.is_err(), "there is no certificate yet");

    renew(mesh, &issuer).await?;
    let first = eventually(seconds(20), || async {
        let (answer, shown) = asked().await?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        Ok(shown)
    })
    .await?;
    renew(mesh, &issuer).await?;
    eventually(seconds(20), || async {
        let (answer, shown) = asked().await?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        ensure!(shown != first, "the old certificate is still shown");
        Ok(())
    })
    .await
}

async fn renew(mesh: &Mesh, issuer: &Issuer) -> Result<()> {
    let (certificate, key) = issuer.certificate(HOST)?;
    let secret = secret(&certificate, &key);
    mesh.cluster.apply(SYSTEM, &secret.to_string()).await
}

fn secret(certificate: &str, key: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop-cert"}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": certificate, "tls.key": key}})
}

/// The line that the sample has as a comment.
async fn plaintext_is_sent_to_https(
    namespace: &Namespace,
    client: &App,
    gateway: &Value,
) -> Result<()> {
    let mut redirecting = gateway.clone();
    redirecting["spec"]["servers"][0]["tls"] = json!({"httpsRedirect": true});
    namespace.apply(&redirecting.to_string()).await?;
    let host = format!("host: {HOST}");
    eventually(seconds(20), || status(client, PRODUCTS, &host, 301)).await
}
