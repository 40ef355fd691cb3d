//! The workload that a pod belongs to, from its owner, and what Istio's labels say of it.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::Value;
use weft_api::labels;

/// Name and owner of a pod as telemetry shows them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Workload {
    /// Such as `reviews`.
    pub(super) name: String,
    /// Such as `kubernetes://apis/apps/v1/namespaces/shop/deployments/reviews`.
    pub(super) owner: String,
    /// Whether the pod belongs to a Job.
    pub(super) is_job: bool,
}

impl Workload {
    /// The Deployment of a ReplicaSet, the CronJob of a Job, the owner of any other pod, else the
    /// pod itself.
    pub(super) fn of(pod: &Pod, namespace: &str) -> Self {
        let owners = pod.metadata.owner_references.iter().flatten();
        let found = owners
            .into_iter()
            .find(|owner| owner.controller == Some(true));
        let (api, kind, name) = match found {
            None => ("v1".to_owned(), "Pod".to_owned(), pod_name(pod)),
            Some(owner) => controller(pod, owner),
        };
        let plural = format!("{}s", kind.to_ascii_lowercase());
        Self {
            owner: format!("kubernetes://apis/{api}/namespaces/{namespace}/{plural}/{name}"),
            is_job: matches!(kind.as_str(), "Job" | "CronJob"),
            name,
        }
    }

    /// Istio's canonical service and revision of `pod`.
    pub(super) fn labels(&self, pod: &Value) -> [(&'static str, String); 2] {
        let first = |keys: [&str; 2]| {
            let own = &pod["metadata"]["labels"];
            keys.iter()
                .find_map(|key| own[*key].as_str().map(str::to_owned))
        };
        let name = first(["app.kubernetes.io/name", "app"]).unwrap_or_else(|| label(&self.name));
        let revision = first(["app.kubernetes.io/version", "version"]);
        [
            (labels::CANONICAL_NAME, name),
            (
                labels::CANONICAL_REVISION,
                revision.unwrap_or_else(|| "latest".into()),
            ),
        ]
    }
}

/// A pod that a generator names has no name yet, only its start.
fn pod_name(pod: &Pod) -> String {
    let meta = &pod.metadata;
    let name = meta.name.as_deref().filter(|name| !name.is_empty());
    let name = name.or(meta.generate_name.as_deref()).unwrap_or_default();
    name.trim_end_matches('-').to_owned()
}

fn controller(pod: &Pod, owner: &OwnerReference) -> (String, String, String) {
    let OwnerReference {
        api_version,
        kind,
        name,
        ..
    } = owner;
    let parent = match kind.as_str() {
        "ReplicaSet" => template_hash(pod)
            .and_then(|hash| name.strip_suffix(&format!("-{hash}")))
            .map(|name| ("Deployment", name)),
        "Job" => scheduled(name).map(|name| ("CronJob", name)),
        _ => None,
    };
    let (kind, name) = parent.unwrap_or((kind, name));
    (api_version.clone(), kind.to_owned(), name.to_owned())
}

fn template_hash(pod: &Pod) -> Option<&String> {
    pod.metadata.labels.as_ref()?.get("pod-template-hash")
}

/// A CronJob names its Jobs by itself and the minute since 1970, eight digits for some time to come.
fn scheduled(job: &str) -> Option<&str> {
    let (name, minute) = job.rsplit_once('-')?;
    let digits = minute.len() >= 8 && minute.bytes().all(|b| b.is_ascii_digit());
    digits.then_some(name)
}

/// A label has at most 63 characters and ends with a letter or digit.
fn label(name: &str) -> String {
    let short: String = name.chars().take(63).collect();
    short
        .trim_end_matches(|c: char| !c.is_ascii_alphanumeric())
        .to_owned()
}
