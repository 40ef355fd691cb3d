//! The webhook configuration: for which pods the API server asks the injector.
//!
//! As narrow as labels can say it: an API server that cannot reach the injector must refuse no pod
//! that never wanted a sidecar. The system's namespaces and the mesh's own are always left out, so
//! that a cluster can start from nothing.

use super::{INJECTOR, meta};
use crate::resolve::Mesh;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations,
    ServiceReference, WebhookClientConfig,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use weft_api::labels::{INJECT, ISTIO_INJECT, ISTIO_INJECTION};

/// Namespaces that are never touched, whatever the spec says.
const SYSTEM: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// The configuration, by which the injector is trusted with the certificates in `bundle`.
pub fn configuration(mesh: &Mesh, bundle: &str) -> MutatingWebhookConfiguration {
    let mut webhooks = vec![
        entry(mesh, "namespace", opted_in(mesh), not_refused(mesh)),
        entry(mesh, "object", undecided(mesh), asked(INJECT)),
    ];
    if mesh.injection.selection.honor_istio_labels {
        webhooks.push(entry(
            mesh,
            "istio-namespace",
            opted_in_by_istio(),
            not_refused(mesh),
        ));
        webhooks.push(entry(
            mesh,
            "istio-object",
            undecided(mesh),
            asked(ISTIO_INJECT),
        ));
    }
    for (number, selector) in mesh.injection.selection.always_inject.iter().enumerate() {
        let name = format!("always-{number}");
        webhooks.push(entry(
            mesh,
            &name,
            undecided(mesh),
            both(selector.clone(), not_refused(mesh)),
        ));
    }
    for webhook in &mut webhooks {
        webhook.client_config.ca_bundle = Some(ByteString(bundle.as_bytes().to_vec()));
    }
    MutatingWebhookConfiguration {
        metadata: meta::cluster_wide(mesh, INJECTOR),
        webhooks: Some(webhooks),
    }
}

fn entry(
    mesh: &Mesh,
    name: &str,
    namespaces: LabelSelector,
    pods: LabelSelector,
) -> MutatingWebhook {
    MutatingWebhook {
        // The API server puts this name into the error of a refused pod.
        name: format!("{name}.weft-injector.weft.mesh"),
        admission_review_versions: vec!["v1".to_owned()],
        client_config: WebhookClientConfig {
            service: Some(ServiceReference {
                name: INJECTOR.to_owned(),
                namespace: mesh.namespace.clone(),
                path: Some("/inject".to_owned()),
                port: Some(443),
            }),
            ..WebhookClientConfig::default()
        },
        failure_policy: Some(mesh.webhook.failure_policy.as_str().to_owned()),
        match_conditions: Some(vec![
            condition(
                "pod-network",
                "!has(object.spec.hostNetwork) || !object.spec.hostNetwork",
            ),
            // A static pod's mirror: the kubelet runs it already.
            condition(
                "no-mirror",
                "!has(object.metadata.annotations) || !('kubernetes.io/config.mirror' in object.metadata.annotations)",
            ),
        ]),
        match_policy: Some("Equivalent".to_owned()),
        namespace_selector: Some(both(namespaces, elsewhere(mesh))),
        object_selector: Some(pods),
        reinvocation_policy: Some(mesh.webhook.reinvocation.as_str().to_owned()),
        rules: Some(vec![RuleWithOperations {
            api_groups: Some(vec![String::new()]),
            api_versions: Some(vec!["v1".to_owned()]),
            operations: Some(vec!["CREATE".to_owned()]),
            resources: Some(vec!["pods".to_owned()]),
            scope: Some("Namespaced".to_owned()),
        }]),
        side_effects: "None".to_owned(),
        timeout_seconds: Some(mesh.webhook.timeout_seconds),
    }
}

/// Namespaces that want sidecars by our label, or by the user's own selector.
fn opted_in(mesh: &Mesh) -> LabelSelector {
    let own = mesh.injection.selection.namespace_selector.clone();
    own.unwrap_or_else(|| one(INJECT, "In", &["enabled"]))
}

/// Namespaces that want sidecars by Istio's label, where ours says nothing.
fn opted_in_by_istio() -> LabelSelector {
    both(
        one(ISTIO_INJECTION, "In", &["enabled"]),
        one(INJECT, "DoesNotExist", &[]),
    )
}

/// Namespaces that neither want sidecars nor forbid them: pods may ask for themselves.
fn undecided(mesh: &Mesh) -> LabelSelector {
    let ours = one(INJECT, "NotIn", &["enabled", "disabled"]);
    match mesh.injection.selection.honor_istio_labels {
        true => both(
            ours,
            one(ISTIO_INJECTION, "NotIn", &["enabled", "disabled"]),
        ),
        false => ours,
    }
}

/// Pods that do not refuse a sidecar, within the user's own selector.
fn not_refused(mesh: &Mesh) -> LabelSelector {
    let selection = &mesh.injection.selection;
    let ours = one(INJECT, "NotIn", &["false", "disabled"]);
    let own = selection.object_selector.clone().unwrap_or_default();
    match selection.honor_istio_labels {
        true => both(both(ours, one(ISTIO_INJECT, "NotIn", &["false"])), own),
        false => both(ours, own),
    }
}

/// Pods that ask for a sidecar by the label `key`.
fn asked(key: &str) -> LabelSelector {
    one(key, "In", &["true", "enabled"])
}

/// Namespaces but the system's, the mesh's and those that the user excludes.
fn elsewhere(mesh: &Mesh) -> LabelSelector {
    let mut names: Vec<&str> = SYSTEM.to_vec();
    names.push(&mesh.namespace);
    names.extend(
        mesh.injection
            .selection
            .excluded_namespaces
            .iter()
            .map(String::as_str),
    );
    names.sort_unstable();
    names.dedup();
    one("kubernetes.io/metadata.name", "NotIn", &names)
}

fn both(one: LabelSelector, other: LabelSelector) -> LabelSelector {
    let labels = [one.match_labels, other.match_labels]
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    let expressions = [one.match_expressions, other.match_expressions];
    LabelSelector {
        match_labels: Some(labels)
            .filter(|labels: &std::collections::BTreeMap<_, _>| !labels.is_empty()),
        match_expressions: Some(expressions.into_iter().flatten().flatten().collect()),
    }
}

fn one(key: &str, operator: &str, values: &[&str]) -> LabelSelector {
    let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    LabelSelector {
        match_expressions: Some(vec![LabelSelectorRequirement {
            key: key.to_owned(),
            operator: operator.to_owned(),
            values: (!values.is_empty()).then_some(values),
        }]),
        ..LabelSelector::default()
    }
}

fn condition(name: &str, expression: &str) -> MatchCondition {
    MatchCondition {
        name: name.to_owned(),
        expression: expression.to_owned(),
    }
}
