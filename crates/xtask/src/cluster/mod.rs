//! A real Kubernetes on a plain Linux machine, without Docker and without an image registry.
//!
//! Each node is a network namespace on one bridge with its own containerd, kubelet and kube-proxy; etcd and the control plane
//! run in the first. The host has addresses on the bridge, so kubectl, tests and browsers reach API server, pods and services.
//! The nodes have no default route on purpose: nothing in a pod can leave the machine.
//! Needs root. What it must never do: leave anything behind after [`down`] but the programs in the build directory.

mod certificates;
mod control_plane;
mod down;
mod host;
mod layout;
mod network;
mod node;
mod packages;
mod process;
mod programs;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

pub(crate) use down::down;
pub(crate) use layout::{kubeconfig, programs as programs_directory};
pub(crate) use programs::build;

use crate::command::{await_ok, output, run, step};
use layout::Node;

/// Starts a cluster of that many nodes, unless one runs already.
pub(crate) fn up(nodes: u8) -> Result<PathBuf> {
    packages::check()?;
    if is_up() {
        step("the local cluster is up already");
        return Ok(kubeconfig());
    }
    build()?;
    down()?; // what a stopped or half-started one left
    step(format!(
        "start a Kubernetes {} of {nodes} nodes",
        layout::KUBERNETES
    ));
    start(nodes).inspect_err(|_| eprintln!("logs: {}", layout::logs().display()))?;
    step(format!(
        "ready: export KUBECONFIG={}",
        kubeconfig().display()
    ));
    Ok(kubeconfig())
}

/// Imports OCI archives into each node.
pub(crate) fn load(archives: &[PathBuf]) -> Result<()> {
    let sockets = process::sockets()?;
    if sockets.is_empty() {
        bail!("no local cluster is up: start it with `cargo xtask cluster up`");
    }
    for socket in &sockets {
        for archive in archives {
            import(socket, archive)?;
        }
    }
    Ok(())
}

/// Whether the API server of the local cluster answers.
pub(crate) fn is_up() -> bool {
    kubeconfig().exists() && kubectl("get --raw /readyz").is_ok()
}

/// Runs the cluster's own kubectl.
pub(crate) fn kubectl(words: &str) -> Result<String> {
    let program = programs_directory().join("kubectl");
    let config = kubeconfig();
    run(&format!(
        "{} --kubeconfig {} {words}",
        program.display(),
        config.display()
    ))
}

fn start(nodes: u8) -> Result<()> {
    for directory in [layout::run().to_owned(), layout::logs(), layout::pki()] {
        std::fs::create_dir_all(directory)?;
    }
    host::note()?;
    network::lay(nodes)?;
    certificates::issue_all()?;
    control_plane::start()?;
    for node in Node::all(nodes) {
        node::start(node)?;
    }
    kubectl(&format!(
        "apply -f {}",
        layout::sources().join("coredns.yaml").display()
    ))?;
    for node in Node::all(nodes) {
        let ready = format!(
            "wait --for=condition=Ready node/{} --timeout=1s",
            node.name()
        );
        await_ok(Duration::from_secs(90), || kubectl(&ready))?;
    }
    await_ok(Duration::from_secs(60), || {
        kubectl("rollout status -n kube-system deployment/coredns --timeout=5s")
    })?;
    await_ok(Duration::from_secs(30), || {
        kubectl("get serviceaccount default")
    })?;
    Ok(())
}

fn import(socket: &Path, archive: &Path) -> Result<()> {
    let mut command = crate::command::words("ctr");
    command
        .arg("-a")
        .arg(socket)
        .args(["-n", "k8s.io", "images", "import"])
        .arg(archive);
    output(&mut command).map(drop)
}
