//! Names what the machine lacks, with the command that installs it.

use std::path::Path;

use anyhow::{Result, bail};

use crate::command;

/// A program that must be there, and the Debian package that brings it.
const NEEDED: [(&str, &str); 10] = [
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("iptables", "iptables"),
    ("ip6tables", "iptables"),
    ("conntrack", "conntrack"),
    ("socat", "socat"), // kubectl port-forward
    ("ethtool", "ethtool"),
    ("ip", "iproute2"),
    ("openssl", "openssl"),
    ("nsenter", "util-linux"),
];

/// Where Debian's containernetworking-plugins puts its programs.
pub(super) const CNI: &str = "/usr/lib/cni";

pub(super) fn check() -> Result<()> {
    if command::run("id -u")?.trim() != "0" {
        bail!(
            "the local cluster needs root: run this as root, or name a cluster of yours in KUBECONFIG"
        );
    }
    let mut packages: Vec<_> = NEEDED
        .iter()
        .filter(|(program, _)| !command::has(program))
        .map(|(_, package)| *package)
        .collect();
    if !Path::new(CNI).join("bridge").exists() {
        packages.push("containernetworking-plugins");
    }
    packages.dedup();
    if !packages.is_empty() {
        bail!(
            "the local cluster needs programs that are not installed: apt-get install -y {}",
            packages.join(" ")
        );
    }
    if !super::programs::are_built() && !command::has("go") {
        bail!(
            "the local cluster is built with Go 1.26 or later, which is not installed: see https://go.dev/doc/install"
        );
    }
    Ok(())
}
