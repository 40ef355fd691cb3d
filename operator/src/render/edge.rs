//! Everything that a gateway is made of.

use super::customise::{self, Unreadable};
use super::{CONTROL, gateway, meta, network};
use crate::ca;
use crate::object::Object;
use crate::resolve::{Gateway, Mesh, Side};
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec,
};
use k8s_openapi::api::core::v1::{Service, ServiceAccount, ServiceSpec};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeSet;

/// The objects of all gateways. `secrets` are the names of what Gateways want to show clients.
///
/// # Errors
/// If the user's `k8s` settings of a gateway are not what Kubernetes expects there.
pub fn gateways(mesh: &Mesh, secrets: &BTreeSet<String>) -> Result<Vec<Object>, Unreadable> {
    let mut objects = Vec::new();
    for gateway in &mesh.gateways {
        let k8s = &gateway.program.k8s;
        let component = gateway.component();
        objects.push(Object::new(&ServiceAccount {
            metadata: meta::of_gateway(mesh, gateway, &meta::gateway_account(gateway)),
            ..ServiceAccount::default()
        }));
        let service = Object::new(&service(mesh, gateway));
        objects.push(customise::service(&component, service, k8s)?);
        let budget = Object::new(&budget(mesh, gateway));
        objects.push(customise::budget(&component, budget, k8s)?);
        if k8s.hpa_spec.is_some() {
            let scaler = Object::new(&autoscaler(mesh, gateway));
            objects.push(customise::autoscaler(&component, scaler, k8s)?);
        }
        objects.push(gateway::deployment(mesh, gateway)?);
    }
    let namespaces: BTreeSet<&String> = mesh.gateways.iter().map(|it| &it.namespace).collect();
    let roles = namespaces
        .into_iter()
        .flat_map(|namespace| readers(mesh, namespace, secrets));
    objects.extend(roles);
    Ok(objects)
}

/// Lets the control plane read these Secrets of `namespace`, and never those of the mesh itself.
fn readers(mesh: &Mesh, namespace: &str, secrets: &BTreeSet<String>) -> Vec<Object> {
    const NAME: &str = "weft-control-gateways";
    let own = [ca::ISSUER, ca::ROOT, ca::WEBHOOK];
    let names = secrets.iter().filter(|name| !own.contains(&name.as_str()));
    let names: Vec<String> = names.cloned().collect();
    // A rule without names would be for all of them.
    if names.is_empty() {
        return Vec::new();
    }
    let mut metadata = meta::cluster_wide(mesh, NAME);
    metadata.namespace = Some(namespace.to_owned());
    let role = Role {
        metadata: metadata.clone(),
        rules: Some(vec![PolicyRule {
            api_groups: Some(vec![String::new()]),
            resources: Some(vec!["secrets".to_owned()]),
            resource_names: Some(names),
            verbs: ["get", "list", "watch"].map(str::to_owned).to_vec(),
            ..PolicyRule::default()
        }]),
    };
    let binding = RoleBinding {
        metadata,
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "Role".to_owned(),
            name: NAME.to_owned(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: CONTROL.to_owned(),
            namespace: Some(mesh.namespace.clone()),
            ..Subject::default()
        }]),
    };
    vec![Object::new(&role), Object::new(&binding)]
}

fn service(mesh: &Mesh, gateway: &Gateway) -> Service {
    let mut metadata = meta::of_gateway(mesh, gateway, &gateway.name);
    let annotations = &gateway.program.k8s.service_annotations;
    metadata.annotations = (!annotations.is_empty()).then(|| annotations.clone());
    let ports = gateway::PORTS.map(|(name, number, target)| network::port(name, number, target));
    Service {
        metadata,
        spec: Some(ServiceSpec {
            type_: Some(match gateway.side {
                Side::Ingress => "LoadBalancer".to_owned(),
                Side::Egress => "ClusterIP".to_owned(),
            }),
            ip_family_policy: Some("PreferDualStack".to_owned()),
            ports: Some(ports.to_vec()),
            selector: Some(meta::gateway_selector(gateway)),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

fn budget(mesh: &Mesh, gateway: &Gateway) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: meta::of_gateway(mesh, gateway, &gateway.name),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(LabelSelector {
                match_labels: Some(meta::gateway_selector(gateway)),
                ..LabelSelector::default()
            }),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}

fn autoscaler(mesh: &Mesh, gateway: &Gateway) -> HorizontalPodAutoscaler {
    /// As many as Istio's gateways grow to.
    const MOST: i32 = 5;
    HorizontalPodAutoscaler {
        metadata: meta::of_gateway(mesh, gateway, &gateway.name),
        spec: Some(HorizontalPodAutoscalerSpec {
            max_replicas: MOST.max(gateway.program.replicas),
            min_replicas: Some(gateway.program.replicas),
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name: gateway.name.clone(),
            },
            ..HorizontalPodAutoscalerSpec::default()
        }),
        ..HorizontalPodAutoscaler::default()
    }
}
