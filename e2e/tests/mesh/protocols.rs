//! What is on the wire needs no name, no order and no family of addresses.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use weft_e2e::{App, Mesh, Namespace, eventually, exec, figure, seconds};

/// Longest time until the first byte of a server that speaks first.
const BANNER_MS: u64 = 100;

#[tokio::test]
async fn a_server_that_speaks_first_is_heard_at_once_on_a_port_without_a_name() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    let inside = mesh.namespace("e2e-banner").await?;
    let outside = mesh.cluster.namespace("e2e-outside", &[]).await?;
    let [server, member] = inside.apps(["server", "member"]).await?;
    let [plain, stranger] = outside.apps(["plain", "stranger"]).await?;
    for (namespace, app) in [(&inside, &server), (&outside, &plain)] {
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "unnamed"},
            "spec": {"selector": {"app": app.name}, "ports": [{"port": 9000}]}});
        namespace.apply(&service.to_string()).await?;
    }
    for (client, namespace) in [
        (&stranger, &inside),
        (&member, &inside),
        (&member, &outside),
    ] {
        let took = eventually(seconds(10), || banner(client, namespace)).await?;
        figure(format_args!(
            "the banner of an unnamed port of {} reached {} after {took} ms",
            namespace.name, client.name
        ));
    }
    inside.delete().await?;
    outside.delete().await
}

#[tokio::test]
async fn a_service_of_ipv6_is_reached_with_the_callers_identity() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    let namespace = mesh.namespace("e2e-ipv6").await?;
    let [client, server] = namespace.apps(["client", "server"]).await?;
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "six"},
        "spec": {"selector": {"app": server.name}, "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv6"],
            "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}});
    namespace.apply(&service.to_string()).await?;
    // Until the mesh has heard of the Service its address is like any other, and may be served without identity.
    eventually(seconds(15), || async {
        let answer = client.call_with("http://six/", &[]).await?;
        ensure!(answer.status == Some(200), "{answer:?}");
        let caller = answer.header("x-forwarded-client-cert")?;
        ensure!(
            caller.is_some_and(|it| it.contains("sa/client")),
            "{answer:?}"
        );
        Ok(())
    })
    .await?;
    namespace.delete().await
}

/// The milliseconds until the server's first line.
async fn banner(client: &App, servers: &Namespace) -> Result<u64> {
    let address = format!("unnamed.{}:9000", servers.name);
    let pod = client.pod().await?;
    let place = [client.namespace.name.as_str(), &pod, "app"];
    let output = exec(
        &client.namespace.cluster,
        place,
        &["/weft-echo", "banner", &address],
    )
    .await?;
    let heard: Value =
        serde_json::from_str(&output.stdout).with_context(|| format!("{output:?}"))?;
    let took = heard["milliseconds"].as_u64().context("a time")?;
    ensure!(
        heard["line"]
            .as_str()
            .is_some_and(|line| line.starts_with("220 ")),
        "{heard}"
    );
    ensure!(took <= BANNER_MS, "after {took} ms");
    Ok(took)
}
