//! Stops the cluster and removes everything that its start made.

use std::path::Path;

use anyhow::Result;

use super::layout::{BRIDGE, run as run_directory, state};
use super::{host, node, process};
use crate::command::run;

/// Leaves nothing but the programs in the build directory; harmless where nothing runs.
pub(crate) fn down() -> Result<()> {
    // Kubelets first, or they start again what is stopped below.
    process::stop("kubelet")?;
    process::stop("kube-proxy")?;
    kill_containers()?;
    for program in [
        "scheduler",
        "controller-manager",
        "apiserver",
        "etcd",
        "containerd",
    ] {
        process::stop(program)?;
    }
    unmount()?;
    remove_network()?;
    host::put_back()?;
    remove_files()
}

fn kill_containers() -> Result<()> {
    for socket in process::sockets()? {
        let tasks = format!("ctr -a {} -n k8s.io tasks", socket.display());
        let Ok(list) = run(&format!("{tasks} list -q")) else {
            continue;
        }; // a runtime that died has no tasks to list
        // Killing may find a task that ended meanwhile.
        for task in list.split_whitespace() {
            run(&format!("{tasks} kill -s KILL {task}")).ok();
        }
        for task in list.split_whitespace() {
            run(&format!("{tasks} delete -f {task}")).ok();
        }
    }
    Ok(())
}

/// Unmounts the pods' volumes and the containers' roots, innermost first.
fn unmount() -> Result<()> {
    let mounts = std::fs::read_to_string("/proc/mounts")?;
    let mut ours: Vec<_> = mounts
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .filter(|point| {
            [state(), run_directory()]
                .iter()
                .any(|place| Path::new(point).starts_with(place))
        })
        .collect();
    ours.sort_unstable();
    for point in ours.iter().rev() {
        run(&format!("umount {point}")).or_else(|_| run(&format!("umount -l {point}")))?;
    }
    Ok(())
}

fn remove_network() -> Result<()> {
    for namespace in process::files(Path::new("/run/netns"), "weft-node", "")? {
        let name = namespace.file_name().unwrap_or_default().to_string_lossy();
        run(&format!("ip netns del {name}"))?;
        run(&format!("ip link del {}", name.replace("-node", ""))).ok(); // it goes with its peer, sooner or later
        for controller in node::controllers()? {
            run(&format!(
                "find {}/{name} -depth -type d -exec rmdir {{}} +",
                controller.display()
            ))
            .ok();
        }
    }
    if Path::new("/sys/class/net").join(BRIDGE).exists() {
        run(&format!("ip link del {BRIDGE}"))?;
    }
    Ok(())
}

fn remove_files() -> Result<()> {
    let pod_logs = process::files(Path::new("/var/log"), "weft-node", "")?;
    for path in pod_logs
        .iter()
        .map(AsRef::as_ref)
        .chain([state(), run_directory()])
    {
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => std::fs::remove_dir_all(path)?,
            Ok(_) => std::fs::remove_file(path)?,
            Err(_) => {} // never made
        }
    }
    Ok(())
}
