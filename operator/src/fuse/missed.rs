//! Pods that the API server would have asked the injector about, and that nobody looked at. Pure.

use super::Window;
use crate::world::PodName;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhook, MutatingWebhookConfiguration};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::ResourceExt;
use kube::core::{Selector, SelectorExt};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use weft_api::labels::{INJECT, INJECTED, ISTIO_INJECT, SKIPPED};

/// Labels by key.
type Labels = BTreeMap<String, String>;

/// Those of `pods` that came within `window` and belong to what `webhooks` select.
///
/// The live configuration counts, because it is what the API server went by.
pub fn of(
    webhooks: &MutatingWebhookConfiguration,
    namespaces: &[Namespace],
    pods: &[Pod],
    window: Window,
) -> Vec<PodName> {
    let labels: BTreeMap<String, &Labels> = namespaces
        .iter()
        .map(|namespace| (namespace.name_any(), namespace.labels()))
        .collect();
    let missed = |pod: &&Pod| {
        let namespace = pod.namespace().unwrap_or_default();
        let asked = labels.get(&namespace).is_some_and(|labels| {
            let mut entries = webhooks.webhooks.iter().flatten();
            entries.any(|entry| selects(entry, labels, pod.labels()))
        });
        asked && came_within(pod, window) && lives(pod) && unseen(pod)
    };
    pods.iter()
        .filter(missed)
        .map(|pod| PodName::of(&pod.metadata))
        .collect()
}

fn selects(entry: &MutatingWebhook, namespace: &Labels, pod: &Labels) -> bool {
    matches(entry.namespace_selector.as_ref(), namespace)
        && matches(entry.object_selector.as_ref(), pod)
}

/// Whether `selector` matches; one that the API server took can be read.
fn matches(selector: Option<&LabelSelector>, labels: &Labels) -> bool {
    let Some(selector) = selector else {
        return true;
    };
    Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(labels))
}

fn came_within(pod: &Pod, window: Window) -> bool {
    let created = pod.metadata.creation_timestamp.as_ref();
    let created =
        created.and_then(|time| OffsetDateTime::from_unix_timestamp(time.0.as_second()).ok());
    created.is_some_and(|created| window.contains(created))
}

fn lives(pod: &Pod) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Succeeded" | "Failed"))
}

/// Whether no injector has looked at `pod`, although it would not have refused one.
fn unseen(pod: &Pod) -> bool {
    let annotations = pod.annotations();
    let refuses = [INJECT, ISTIO_INJECT].iter().any(|key| {
        let value = annotations.get(*key).map(String::as_str);
        matches!(value, Some("false" | "disabled"))
    });
    let host_network = pod.spec.as_ref().and_then(|spec| spec.host_network);
    !pod.labels().contains_key(INJECTED)
        && !annotations.contains_key(SKIPPED)
        && !annotations.contains_key("kubernetes.io/config.mirror")
        && host_network != Some(true)
        && !refuses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<K: serde::de::DeserializeOwned>(text: &str) -> K {
        serde_saphyr::from_str(text).unwrap()
    }

    fn pod(rest: &str) -> Pod {
        read(&format!(
            "{{metadata: {{name: a, namespace: shop, uid: u, creationTimestamp: '2027-01-15T08:00:30Z', {rest}}}}}"
        ))
    }

    fn missed(pod: &Pod) -> Vec<PodName> {
        let webhooks = read(
            "{webhooks: [{name: a, admissionReviewVersions: [v1], clientConfig: {}, sideEffects: None,
              namespaceSelector: {matchLabels: {weft.mesh/inject: enabled}},
              objectSelector: {matchExpressions: [{key: weft.mesh/inject, operator: NotIn, values: ['false']}]}}]}",
        );
        let namespaces = [
            read("{metadata: {name: shop, labels: {weft.mesh/inject: enabled}}}"),
            read("{metadata: {name: other}}"),
        ];
        let window = Window {
            from: OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap(), // 08:00:00
            until: OffsetDateTime::from_unix_timestamp(1_800_000_060).ok(),
        };
        of(&webhooks, &namespaces, std::slice::from_ref(pod), window)
    }

    #[test]
    fn a_pod_of_that_time_without_a_sidecar_has_missed_it() {
        let owner = |kind: &str| {
            format!(
                "ownerReferences: [{{apiVersion: v1, kind: {kind}, name: o, uid: o, controller: true}}]"
            )
        };
        let table = [
            (owner("ReplicaSet"), true),
            (owner("Job"), false),
            (String::new(), false),
        ];
        for (owner, replaced) in table {
            let found = missed(&pod(&owner));
            assert_eq!(found.len(), 1, "{owner}");
            assert_eq!(found[0].replaced, replaced, "{owner}");
        }
    }

    #[test]
    fn pods_that_no_injector_would_have_changed_have_missed_nothing() {
        let refused = [
            "labels: {weft.mesh/inject: 'false'}",
            "labels: {weft.mesh/injected: 'true'}",
            "annotations: {weft.mesh/skipped: NeverInject}",
            "annotations: {sidecar.istio.io/inject: 'false'}",
            "deletionTimestamp: '2027-01-15T08:02:00Z'",
        ];
        for rest in refused {
            assert_eq!(missed(&pod(rest)), [], "{rest}");
        }
        let mut elsewhere = pod("");
        elsewhere.metadata.namespace = Some("other".into());
        assert_eq!(missed(&elsewhere), []);
        let mut old = pod("");
        old.metadata.creation_timestamp = read("'2027-01-15T07:59:59Z'");
        assert_eq!(missed(&old), []);
    }
}
