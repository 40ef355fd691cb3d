//! Builds the programs of a node: Kubernetes, CoreDNS and pause, as ordinary Go modules.

use std::path::Path;

use anyhow::Result;

use super::layout::{DNS_IMAGE, KUBERNETES, PAUSE_IMAGE, programs, sources};
use crate::command::{show, step, words};
use crate::images::{Image, write_archive};

/// Whether all of them are there already.
pub(super) fn are_built() -> bool {
    ["node", "coredns", "pause"]
        .iter()
        .all(|program| programs().join(program).exists())
}

/// Builds what is missing; about eight minutes on two cores with cold caches.
pub(crate) fn build() -> Result<()> {
    if !are_built() {
        step("build the cluster's programs (minutes, the first time)");
        std::fs::create_dir_all(programs())?;
        go_build("node", &version_flags())?;
        go_build("dns", "-s -w")?;
        go_build("pause", "-s -w")?;
    }
    link_kubectl()?;
    archive(PAUSE_IMAGE, "pause")?;
    archive(DNS_IMAGE, "coredns")
}

fn go_build(module: &str, flags: &str) -> Result<()> {
    let program = if module == "dns" { "coredns" } else { module };
    let mut command = words("go build -trimpath -o");
    command
        .arg(programs().join(program))
        .args(["-ldflags", flags, "."]);
    show(
        command
            .env("CGO_ENABLED", "0")
            .current_dir(sources().join(module)),
    )
}

/// What `kubectl version` and feature checks read; a build from modules would say v0.0.0.
fn version_flags() -> String {
    let minor = KUBERNETES.split('.').nth(1).unwrap_or_default();
    let set = [
        ("Version", KUBERNETES),
        ("Major", "1"),
        ("Minor", minor),
        ("TreeState", "clean"),
    ];
    let flags =
        set.map(|(key, value)| format!("-X k8s.io/component-base/version.git{key}={value}"));
    format!("-s -w {}", flags.join(" "))
}

/// The node program is kubectl too, under that name.
fn link_kubectl() -> Result<()> {
    let link = programs().join("kubectl");
    if !link.exists() {
        std::os::unix::fs::symlink("node", link)?;
    }
    Ok(())
}

fn archive(name: &str, program: &str) -> Result<()> {
    let image = Image {
        name,
        program: &programs().join(program),
    };
    write_archive(
        &image,
        Path::new(&programs().join(format!("{program}.tar"))),
    )
    .map(drop)
}
