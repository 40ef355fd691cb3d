//! What runs in a pod, and under which names the mesh knows it.

use crate::objects::{Key, KubeNode};
use crate::objects::{Pod, Store};
use std::collections::BTreeMap;
use std::net::IpAddr;
use weft_api::labels;

/// A pod as the mesh sees it.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Workload {
    /// Namespace.
    pub namespace: String,
    /// Name of the Deployment, StatefulSet, … that made the pod, else of the pod.
    pub name: String,
    /// Service account.
    pub service_account: String,
    /// Labels of the pod.
    pub labels: BTreeMap<String, String>,
    /// Addresses.
    pub ips: Vec<IpAddr>,
    /// Where it stands.
    pub locality: Locality,
}

/// Region, zone and sub-zone; empty where Kubernetes does not know them.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Locality {
    /// Region.
    pub region: String,
    /// Zone.
    pub zone: String,
    /// Sub-zone.
    pub subzone: String,
}

impl Locality {
    /// Where the machine of this name stands.
    pub fn of(node: &str, nodes: &Store<KubeNode>) -> Self {
        nodes
            .get(&Key::new("", node))
            .map_or_else(Self::default, |node| Self {
                region: node.region.clone(),
                zone: node.zone.clone(),
                subzone: node.subzone.clone(),
            })
    }
}

impl Workload {
    /// The workload in `pod`.
    pub fn of(pod: &Pod, nodes: &Store<KubeNode>) -> Self {
        Self {
            namespace: pod.key.namespace.clone(),
            name: name(pod),
            service_account: pod.service_account.clone(),
            labels: pod.labels.clone(),
            ips: pod.ips.clone(),
            locality: Locality::of(&pod.node, nodes),
        }
    }

    /// Whether its proxy speaks the mesh's mutual TLS.
    pub fn speaks_mtls(&self) -> bool {
        self.label(&[labels::TLS_MODE]) == Some("istio")
    }

    /// Istio's canonical service name.
    pub fn canonical_name(&self) -> &str {
        self.label(&[labels::CANONICAL_NAME, "app.kubernetes.io/name", "app"])
            .unwrap_or(&self.name)
    }

    /// Istio's canonical service revision; empty where no label says it.
    pub fn canonical_revision(&self) -> &str {
        self.label(&[
            labels::CANONICAL_REVISION,
            "app.kubernetes.io/version",
            "version",
        ])
        .unwrap_or_default()
    }

    fn label(&self, keys: &[&str]) -> Option<&str> {
        let found = keys.iter().find_map(|key| self.labels.get(*key));
        found.map(String::as_str).filter(|text| !text.is_empty())
    }
}

/// The name of what made the pod, as Istio finds it.
///
/// A Deployment is two steps away: the ReplicaSet's name without the template's hash.
fn name(pod: &Pod) -> String {
    let Some((kind, owner)) = &pod.controller else {
        return pod.key.name.clone();
    };
    let shortened = match kind.as_str() {
        "ReplicaSet" => pod
            .labels
            .get("pod-template-hash")
            .and_then(|hash| owner.strip_suffix(hash.as_str())?.strip_suffix('-')),
        "Job" => cron_job(owner),
        _ => None,
    };
    shortened.unwrap_or(owner).to_owned()
}

/// The CronJob of a Job: its name ends in the scheduled time, in minutes or seconds since 1970.
fn cron_job(job: &str) -> Option<&str> {
    let (name, time) = job.rsplit_once('-')?;
    let is_time = (8..=10).contains(&time.len()) && time.bytes().all(|b| b.is_ascii_digit());
    Some(name).filter(|_| is_time)
}

#[cfg(test)]
mod tests {
    use super::name;
    use crate::objects::{Key, Pod};

    #[test]
    #[rustfmt::skip]
    fn a_workload_is_named_after_what_the_user_made() {
        let table = [
            // controller                        template hash      name
            (None,                               None,              "pod-x"),
            (Some(("ReplicaSet", "web-5d9f")),   Some("5d9f"),      "web"),
            (Some(("ReplicaSet", "web-5d9f")),   None,              "web-5d9f"), // made by hand
            (Some(("StatefulSet", "db")),        None,              "db"),
            (Some(("DaemonSet", "agent")),       None,              "agent"),
            (Some(("Job", "migrate")),           None,              "migrate"),
            (Some(("Job", "nightly-29345678")),  None,              "nightly"),
            (Some(("Job", "nightly-1")),         None,              "nightly-1"),
        ];
        for (controller, hash, expected) in table {
            let pod = Pod {
                key: Key::new("shop", "pod-x"),
                controller: controller.map(|(kind, name)| (kind.into(), name.into())),
                labels: hash.map(|hash: &str| ("pod-template-hash".into(), hash.into())).into_iter().collect(),
                ..Pod::default()
            };
            assert_eq!(name(&pod), expected, "{controller:?} {hash:?}");
        }
    }
}
