//! The user's `k8s` settings of a component, put over its rendered objects.
//!
//! These settings are Kubernetes' own types, which the MeshOperator's schema does not repeat; here
//! they are read, and a value that Kubernetes would not understand is named.

use crate::object::Object;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use weft_api::operator::{KubernetesResources, quantity};

/// A setting that is not what Kubernetes expects there.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "spec.components.{component}.k8s is not what Kubernetes expects: {reason}; correct the field"
)]
pub struct Unreadable {
    component: String,
    reason: String,
}

/// `object`, a Deployment, with the settings of `component`.
pub(super) fn deployment(
    component: &str,
    mut object: Object,
    k8s: &KubernetesResources,
) -> Result<Object, Unreadable> {
    let value = &mut object.value.data;
    let spec = &mut value["spec"];
    put(&mut spec["strategy"], k8s.strategy.as_ref());
    let template = &mut spec["template"];
    merge(&mut template["metadata"]["labels"], &json!(k8s.pod_labels));
    merge(
        &mut template["metadata"]["annotations"],
        &json!(k8s.pod_annotations),
    );
    pod(&mut template["spec"], k8s);
    checked::<Deployment>(component, object)
}

/// `object`, a PodDisruptionBudget, with the settings of `component`.
pub(super) fn budget(
    component: &str,
    mut object: Object,
    k8s: &KubernetesResources,
) -> Result<Object, Unreadable> {
    let Some(wanted) = &k8s.pod_disruption_budget else {
        return Ok(object);
    };
    let value = &mut object.value.data;
    // `minAvailable` and `maxUnavailable` exclude each other: ours goes where the user brings one.
    let selector = value["spec"]["selector"].clone();
    value["spec"] = json!({ "selector": selector });
    merge(&mut value["spec"], wanted);
    checked::<PodDisruptionBudget>(component, object)
}

/// `object`, a HorizontalPodAutoscaler, with the settings of `component`. What it scales stays.
pub(super) fn autoscaler(
    component: &str,
    mut object: Object,
    k8s: &KubernetesResources,
) -> Result<Object, Unreadable> {
    let spec = &mut object.value.data["spec"];
    let target = spec["scaleTargetRef"].clone();
    merge(spec, k8s.hpa_spec.as_ref().unwrap_or(&Value::Null));
    spec["scaleTargetRef"] = target;
    checked::<HorizontalPodAutoscaler>(component, object)
}

/// `object`, a Service, with the settings of `component`. What the mesh itself needs stays: its
/// selector and its ports, beside which others may stand.
pub(super) fn service(
    component: &str,
    mut object: Object,
    k8s: &KubernetesResources,
) -> Result<Object, Unreadable> {
    let Some(wanted) = &k8s.service else {
        return Ok(object);
    };
    let spec = &mut object.value.data["spec"];
    let (selector, mut ports) = (spec["selector"].clone(), spec["ports"].clone());
    if let (Some(ours), Some(wanted)) = (ports.as_array_mut(), wanted["ports"].as_array()) {
        let is_new = |port: &&Value| !ours.iter().any(|own| own["port"] == port["port"]);
        let more: Vec<Value> = wanted.iter().filter(is_new).cloned().collect();
        ours.extend(more);
    }
    merge(spec, wanted);
    spec["selector"] = selector;
    spec["ports"] = ports;
    checked::<Service>(component, object)
}

fn pod(spec: &mut Value, k8s: &KubernetesResources) {
    put(&mut spec["affinity"], k8s.affinity.as_ref());
    put(
        &mut spec["priorityClassName"],
        k8s.priority_class_name.clone().map(Value::from).as_ref(),
    );
    put_list(
        &mut spec["topologySpreadConstraints"],
        &k8s.topology_spread_constraints,
    );
    put_list(&mut spec["tolerations"], &k8s.tolerations);
    extend(&mut spec["volumes"], &k8s.volumes);
    merge(&mut spec["nodeSelector"], &json!(k8s.node_selector));
    merge(
        &mut spec["securityContext"],
        k8s.security_context.as_ref().unwrap_or(&Value::Null),
    );
    let container = &mut spec["containers"][0];
    put(
        &mut container["readinessProbe"],
        k8s.readiness_probe.as_ref(),
    );
    extend(&mut container["volumeMounts"], &k8s.volume_mounts);
    put(&mut container["resources"], resources(k8s).as_ref());
    environment(&mut container["env"], k8s);
}

fn resources(k8s: &KubernetesResources) -> Option<Value> {
    let wanted = k8s.resources.as_ref()?;
    let list = |list: &BTreeMap<String, IntOrString>| -> Value {
        list.iter()
            .map(|(name, amount)| (name.clone(), json!(quantity(amount))))
            .collect()
    };
    Some(json!({ "requests": list(&wanted.requests), "limits": list(&wanted.limits) }))
}

/// The user's variables replace ours of the same name.
fn environment(ours: &mut Value, k8s: &KubernetesResources) {
    let Some(list) = ours.as_array_mut() else {
        return;
    };
    list.retain(|ours| {
        k8s.env
            .iter()
            .all(|wanted| ours["name"] != json!(wanted.name))
    });
    list.extend(k8s.env.iter().map(|wanted| json!(wanted)));
}

fn put(place: &mut Value, wanted: Option<&Value>) {
    if let Some(wanted) = wanted {
        *place = wanted.clone();
    }
}

/// Adds what is further to what the program itself needs.
fn extend(place: &mut Value, further: &[Value]) {
    match place.as_array_mut() {
        Some(own) => own.extend(further.iter().cloned()),
        None => put_list(place, further),
    }
}

fn put_list(place: &mut Value, wanted: &[Value]) {
    if !wanted.is_empty() {
        *place = wanted.to_vec().into();
    }
}

/// Puts the members of `wanted` over those of `place`, at every depth.
fn merge(place: &mut Value, wanted: &Value) {
    match (place, wanted) {
        (_, Value::Null) => {}
        (Value::Object(place), Value::Object(wanted)) => {
            for (name, value) in wanted {
                merge(place.entry(name).or_insert(Value::Null), value);
            }
        }
        (place, wanted) => *place = wanted.clone(),
    }
}

/// `object` without what is absent, after reading it as `K`.
fn checked<K: DeserializeOwned>(component: &str, mut object: Object) -> Result<Object, Unreadable> {
    prune(&mut object.value.data);
    let value = json!(object.value);
    match serde_json::from_value::<K>(value) {
        Ok(_) => Ok(object),
        Err(error) => Err(Unreadable {
            component: component.to_owned(),
            reason: error.to_string(),
        }),
    }
}

/// Removes nulls and empty maps, which indexing has left where nothing was set.
fn prune(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(prune);
            members.retain(|_, member| {
                !member.is_null() && member.as_object().is_none_or(|map| !map.is_empty())
            });
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
