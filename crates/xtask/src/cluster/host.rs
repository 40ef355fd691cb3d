//! What the cluster's programs change on the host outside our directories: noted at the start, put back at the end.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::layout;

/// Kernel settings that kubelets set.
const SETTINGS: [&str; 4] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
];

/// Directories that kubelet, controller manager, containerd and the network plugins make without being asked.
const DIRECTORIES: [&str; 7] = [
    "/usr/libexec/kubernetes",
    "/var/log/containers",
    "/var/log/pods",
    "/var/lib/kubelet",
    "/var/lib/cni",
    "/run/containerd",
    "/run/flannel",
];

/// Notes the settings as they are, and which directories are not there.
pub(super) fn note() -> Result<()> {
    let mut settings = String::new();
    for name in SETTINGS {
        let value = std::fs::read_to_string(format!("/proc/sys/{name}"))?;
        settings.push_str(&format!("{name} {}\n", value.trim()));
    }
    std::fs::write(settings_note(), settings)?;
    let absent: Vec<_> = DIRECTORIES
        .into_iter()
        .filter(|path| !Path::new(path).exists())
        .collect();
    Ok(std::fs::write(directories_note(), absent.join("\n"))?)
}

/// Makes the host as it was noted.
pub(super) fn put_back() -> Result<()> {
    let settings = std::fs::read_to_string(settings_note()).unwrap_or_default();
    for (name, value) in settings.lines().filter_map(|line| line.split_once(' ')) {
        std::fs::write(format!("/proc/sys/{name}"), value)?;
    }
    let absent = std::fs::read_to_string(directories_note()).unwrap_or_default();
    for path in absent.lines().filter(|path| Path::new(path).exists()) {
        std::fs::remove_dir_all(path)?;
    }
    Ok(())
}

fn settings_note() -> PathBuf {
    layout::run().join("host-settings")
}

fn directories_note() -> PathBuf {
    layout::run().join("host-directories")
}
