//! Names, addresses and paths of the local cluster.

use std::path::{Path, PathBuf};

use crate::place;

pub(super) const KUBERNETES: &str = "v1.35.4";
pub(super) const BRIDGE: &str = "weft0";
pub(super) const SERVICES: [&str; 2] = ["10.96.0.0/16", "fd00:10:96::/112"];
pub(super) const PODS: &str = "10.244.0.0/16,fd00:10:244::/48";
pub(super) const PAUSE_IMAGE: &str = "localhost/pause:1";
pub(super) const DNS_IMAGE: &str = "localhost/coredns:1";

/// The host's own addresses on the bridge, with prefix lengths.
pub(super) const HOST: [&str; 2] = ["172.30.0.254/24", "fd00:172:30::fe/64"];

/// Everything that lasts while the cluster runs; `down` removes it.
pub(super) fn state() -> &'static Path {
    Path::new("/var/lib/weft-cluster")
}

/// Sockets and process numbers.
pub(super) fn run() -> &'static Path {
    Path::new("/run/weft-cluster")
}

/// Keys, certificates and kubeconfig files.
pub(super) fn pki() -> PathBuf {
    state().join("pki")
}

/// One log for each program.
pub(super) fn logs() -> PathBuf {
    state().join("log")
}

/// The administrator's kubeconfig.
pub(crate) fn kubeconfig() -> PathBuf {
    state().join("admin.conf")
}

/// The programs of a node, built once and kept.
pub(crate) fn programs() -> PathBuf {
    place::target().join("cluster")
}

/// The sources of those programs and the templates of their settings.
pub(super) fn sources() -> PathBuf {
    place::repository().join("e2e/cluster")
}

/// One node: a network namespace with its own container runtime, kubelet and kube-proxy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node(pub(super) u8);

impl Node {
    pub(super) fn all(count: u8) -> impl Iterator<Item = Self> {
        (1..=count).map(Self)
    }

    pub(super) fn name(self) -> String {
        format!("node{}", self.0)
    }

    /// Also the name of its network namespace and of its cgroups.
    pub(super) fn namespace(self) -> String {
        format!("weft-node{}", self.0)
    }

    pub(super) fn addresses(self) -> [String; 2] {
        [
            format!("172.30.0.{}", self.0),
            format!("fd00:172:30::{}", self.0),
        ]
    }

    pub(super) fn pods(self) -> [String; 2] {
        [
            format!("10.244.{}.0/24", self.0),
            format!("fd00:10:244:{}::/64", self.0),
        ]
    }

    pub(super) fn home(self) -> PathBuf {
        state().join(self.name())
    }

    pub(super) fn socket(self) -> PathBuf {
        run().join(format!("containerd{}.sock", self.0))
    }

    /// Runs a program in the node's network.
    ///
    /// Not `ip netns exec`: that mounts a new /sys and so hides /sys/fs/cgroup from kubelet and containerd.
    pub(super) fn enter(self) -> String {
        format!("nsenter --net=/run/netns/{}", self.namespace())
    }
}
