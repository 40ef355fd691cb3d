//! One node: containerd, kubelet and kube-proxy, their settings from the templates in `e2e/cluster`.

use std::path::Path;

use anyhow::{Context, Result};

use super::layout::{Node, PAUSE_IMAGE, PODS, pki, programs, run as run_directory, sources};
use super::packages::CNI;
use super::process::{await_program, start as launch};
use super::{certificates, import};
use crate::command::run;

/// Starts a node; it registers itself.
pub(super) fn start(node: Node) -> Result<()> {
    std::fs::create_dir_all(node.home().join("cni"))?;
    make_cgroups(node)?;
    certificates::issue_node(node)?;
    start_containerd(node)?;
    start_kubelet(node)?;
    start_kube_proxy(node)
}

/// Two kubelets on one machine need a cgroup root each, or they reap each other's pods.
fn make_cgroups(node: Node) -> Result<()> {
    for controller in controllers()? {
        let group = controller.join(node.namespace());
        std::fs::create_dir_all(&group)?;
        // A cpuset without CPUs and memory takes no process; cgroup v1 does not hand the parent's down.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if controller.ends_with("cpuset") && controller.join(file).exists() {
                std::fs::write(group.join(file), std::fs::read(controller.join(file))?)?;
            }
        }
    }
    Ok(())
}

/// Each mounted cgroup hierarchy: many directories of version 1, or the one of version 2.
pub(super) fn controllers() -> Result<Vec<std::path::PathBuf>> {
    let root = Path::new("/sys/fs/cgroup");
    if root.join("cgroup.controllers").exists() {
        return Ok(vec![root.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn start_containerd(node: Node) -> Result<()> {
    fill(node, "containerd.toml", "containerd.toml")?;
    fill(node, "podnet.conflist", "cni/10-podnet.conflist")?;
    let name = format!("containerd{}", node.0);
    let socket = node.socket();
    launch(
        node,
        &name,
        &format!(
            "containerd -c {}",
            node.home().join("containerd.toml").display()
        ),
    )?;
    await_program(&name, 30, || {
        run(&format!("ctr -a {} version", socket.display()))
    })?;
    for program in ["pause", "coredns"] {
        import(&socket, &programs().join(format!("{program}.tar")))?;
    }
    Ok(())
}

fn start_kubelet(node: Node) -> Result<()> {
    fill(node, "kubelet.yaml", "kubelet.yaml")?;
    let (home, [v4, v6]) = (node.home(), node.addresses());
    let (home, program) = (home.display(), programs().join("node"));
    let line = format!(
        "{} kubelet --config={home}/kubelet.yaml --kubeconfig={}/{}.conf --root-dir={home}/kubelet \
         --hostname-override={} --node-ip={v4},{v6} --cert-dir={home}/pki",
        program.display(),
        pki().display(),
        node.name(),
        node.name(),
    );
    launch(node, &format!("kubelet{}", node.0), &line)
}

fn start_kube_proxy(node: Node) -> Result<()> {
    fill(node, "kube-proxy.yaml", "kube-proxy.yaml")?;
    let (program, settings) = (programs().join("node"), node.home().join("kube-proxy.yaml"));
    launch(
        node,
        &format!("kube-proxy{}", node.0),
        &format!(
            "{} proxy --config={}",
            program.display(),
            settings.display()
        ),
    )
}

/// Writes a template into the node's home with its placeholders filled in.
fn fill(node: Node, template: &str, file: &str) -> Result<()> {
    let source = sources().join(template);
    let mut text =
        std::fs::read_to_string(&source).with_context(|| source.display().to_string())?;
    let [pods4, pods6] = node.pods();
    for (placeholder, value) in [
        ("@N@", node.0.to_string()),
        ("@HOME@", node.home().display().to_string()),
        ("@RUN@", run_directory().display().to_string()),
        ("@PKI@", pki().display().to_string()),
        ("@PAUSE@", PAUSE_IMAGE.to_owned()),
        ("@CNI@", CNI.to_owned()),
        ("@PODS@", PODS.to_owned()),
        ("@PODS4@", pods4),
        ("@PODS6@", pods6),
    ] {
        text = text.replace(placeholder, &value);
    }
    Ok(std::fs::write(node.home().join(file), text)?)
}
