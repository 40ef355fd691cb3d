//! Who talks to whom, and that nobody else can listen or speak.

use anyhow::{Result, ensure};
use serde_json::json;
use weft_e2e::{AppSettings, Capture, Mesh, eventually, seconds};

const STRICT: &str = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
";
const SERVER_PERMISSIVE: &str = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: server}
spec: {selector: {matchLabels: {app: server}}, mtls: {mode: PERMISSIVE}}
";

#[tokio::test]
async fn the_callers_identity_reaches_the_server() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    let namespace = mesh.namespace("e2e-identity").await?;
    let [client, server] = namespace.apps(["client", "server"]).await?;

    let answer = eventually(seconds(10), || async {
        let answer = client.call(&server).await?;
        ensure!(answer.status == Some(200), "{answer:?}");
        Ok(answer)
    })
    .await?;

    let caller = answer
        .header("x-forwarded-client-cert")?
        .unwrap_or_default();
    ensure!(
        caller.contains("URI=spiffe://cluster.local/ns/e2e-identity/sa/client"),
        "{answer:?}"
    );
    namespace.delete().await
}

#[tokio::test]
async fn strict_refuses_plaintext_and_a_workloads_own_policy_wins() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    let namespace = mesh.namespace("e2e-strict").await?;
    let [client, server] = namespace.apps(["client", "server"]).await?;
    let outside = mesh.cluster.namespace("e2e-outside", &[]).await?;
    let [stranger] = outside.apps(["stranger"]).await?;

    // Nothing said: PERMISSIVE serves both.
    for caller in [&client, &stranger] {
        let answer = caller.call(&server).await?;
        ensure!(answer.status == Some(200), "{}: {answer:?}", caller.name);
    }

    namespace.apply(STRICT).await?;
    eventually(seconds(10), || async {
        let answer = stranger.call(&server).await?;
        ensure!(
            answer.status.is_none() && answer.body.is_empty(),
            "plaintext was served: {answer:?}"
        );
        Ok(())
    })
    .await?;
    let answer = client.call(&server).await?;
    ensure!(
        answer.status == Some(200),
        "a member of the mesh was refused: {answer:?}"
    );

    namespace.apply(SERVER_PERMISSIVE).await?;
    eventually(seconds(10), || async {
        let answer = stranger.call(&server).await?;
        ensure!(
            answer.status == Some(200),
            "the workload's own policy must win: {answer:?}"
        );
        Ok(())
    })
    .await?;
    outside.delete().await?;
    namespace.delete().await
}

#[tokio::test]
async fn packets_between_nodes_are_tls_only() -> Result<()> {
    const SECRET: &str = "x-secret: swordfish-in-plain-sight";
    let mesh = Mesh::install(json!({})).await?;
    let namespace = mesh.namespace("e2e-wire").await?;
    let nodes = mesh.cluster.nodes().await?;
    let on = |which: usize| AppSettings {
        node: nodes.get(which).cloned(),
        ..AppSettings::default()
    };
    ensure!(
        nodes.len() > 1,
        "two nodes to send packets between: {nodes:?}"
    );
    let client = namespace.app("client", &on(0)).await?;
    let server = namespace.app("server", &on(1)).await?;
    let outside = mesh.cluster.namespace("e2e-wire-outside", &[]).await?;
    let stranger = outside.app("stranger", &on(0)).await?;

    // The capture does see what is in the clear.
    let capture = Capture::start()?;
    let answer = stranger
        .call_with(&server.url(), &["--header", SECRET])
        .await?;
    ensure!(answer.status == Some(200), "{answer:?}");
    ensure!(
        contains(&capture.stop()?, "swordfish"),
        "the capture must see plaintext, or it proves nothing"
    );

    let capture = Capture::start()?;
    let answer = client
        .call_with(&server.url(), &["--header", SECRET])
        .await?;
    ensure!(answer.status == Some(200), "{answer:?}");
    let frames = capture.stop()?;
    ensure!(
        answer.header("x-secret")?.is_some(),
        "the header must have passed: {answer:?}"
    );
    ensure!(
        !contains(&frames, "swordfish"),
        "the header was readable on the wire"
    );
    outside.delete().await?;
    namespace.delete().await
}

fn contains(frames: &[u8], text: &str) -> bool {
    frames
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}
