//! `cargo xtask demo`: from nothing to a mesh with a shop in it, and what a user wants to see of it.

mod metrics;
mod show;

use std::time::Duration;

use anyhow::Result;

use crate::command::{await_ok, output, step};
use crate::target::{Target, helm};
use crate::{images, place};

/// Where the sample application runs.
const NAMESPACE: &str = "shop";
/// Where the mesh runs.
const SYSTEM: &str = "weft-system";
/// Enough to see every path through the shop.
const REQUESTS: u32 = 60;

/// An access log line that says who spoke to whom, and how.
const LOG: &str = r#"{"spec":{"meshConfig":{"accessLogFile":"/dev/stdout","accessLogFormat":
    "hop %DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_LOCAL_URI_SAN% %DOWNSTREAM_TLS_VERSION%\n"}}}"#;

/// Runs the demo; what is there already is kept.
pub(crate) fn run() -> Result<()> {
    let target = Target::choose();
    target.up()?;
    target.load(&images::build("release", &[])?)?;
    install(&target)?;
    start_shop(&target)?;
    send(&target)?;
    show::all(&target)?;
    show::next_commands(&target);
    Ok(())
}

/// Leaves the machine as it was: removes the cluster, or from a named one the mesh and the shop.
pub(crate) fn down() -> Result<()> {
    let target = Target::choose();
    if matches!(target, Target::Named(_)) {
        step("remove the shop and the mesh");
        target.kubectl(&format!("delete namespace {NAMESPACE} --ignore-not-found"))?;
        target.kubectl("delete meshoperator mesh --ignore-not-found --timeout=120s")?;
        output(
            helm()?
                .args(["uninstall", "weft", "--namespace", SYSTEM, "--wait"])
                .env("KUBECONFIG", target.kubeconfig()),
        )?;
        target.kubectl(&format!("delete namespace {SYSTEM} --ignore-not-found"))?;
        return Ok(());
    }
    step("remove the cluster");
    target.down()
}

fn install(target: &Target) -> Result<()> {
    step("install the operator through its chart");
    let chart = place::repository().join("charts/weft");
    let mut command = helm()?;
    command.args(["upgrade", "--install", "weft"]).arg(chart);
    command.args([
        "--namespace",
        SYSTEM,
        "--create-namespace",
        "--wait",
        "--timeout",
        "3m",
    ]);
    output(command.env("KUBECONFIG", target.kubeconfig()))?;
    step("apply samples/mesh.yaml, with an access log, and wait until the mesh is Ready");
    target.kubectl(&format!("apply -f {}", sample("mesh.yaml")))?;
    output(target.kubectl_command().args([
        "patch",
        "meshoperator",
        "mesh",
        "--type",
        "merge",
        "-p",
        LOG,
    ]))?;
    target
        .kubectl("wait --for=condition=Ready meshoperator/mesh --timeout=90s")
        .map(drop)
}

fn start_shop(target: &Target) -> Result<()> {
    step("start the shop in a namespace that joins the mesh");
    if target
        .kubectl(&format!("get namespace {NAMESPACE}"))
        .is_err()
    {
        target.kubectl(&format!("create namespace {NAMESPACE}"))?;
    }
    target.kubectl(&format!(
        "label --overwrite namespace {NAMESPACE} weft.mesh/inject=enabled"
    ))?;
    target.kubectl(&format!(
        "apply --namespace {NAMESPACE} -f {}",
        sample("shop.yaml")
    ))?;
    target
        .kubectl(&format!(
            "wait --namespace {NAMESPACE} --for=condition=Available deployment --all --timeout=120s"
        ))
        .map(drop)
}

/// Sends requests to the shop's front end through the API server, as a browser outside the mesh would.
fn send(target: &Target) -> Result<()> {
    step(format!("send {REQUESTS} requests through the shop"));
    let front =
        format!("get --raw /api/v1/namespaces/{NAMESPACE}/services/frontend:http/proxy/products/1");
    await_ok(Duration::from_secs(20), || target.kubectl(&front))?;
    for _ in 1..REQUESTS {
        target.kubectl(&front)?;
    }
    Ok(())
}

fn sample(file: &str) -> String {
    place::repository()
        .join("samples")
        .join(file)
        .display()
        .to_string()
}
