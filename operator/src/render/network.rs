//! Services and disruption budgets.

use super::customise::{self, Unreadable};
use super::{CONTROL, INJECTOR, meta};
use crate::object::Object;
use crate::resolve::{Mesh, Program};
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

pub(super) fn control_service(mesh: &Mesh) -> Result<Object, Unreadable> {
    let ports = vec![
        port("grpc-xds", 15012, 15012),
        port("http-monitoring", 15014, 15014),
    ];
    let service = service(mesh, CONTROL, &mesh.control, ports);
    customise::service("pilot", Object::new(&service), &mesh.control.k8s)
}

pub(super) fn injector_service(mesh: &Mesh) -> Result<Object, Unreadable> {
    let ports = vec![
        port("https-webhook", 443, 15017),
        port("http-monitoring", 15014, 15014),
    ];
    let service = service(mesh, INJECTOR, &mesh.injector, ports);
    customise::service("injector", Object::new(&service), &mesh.injector.k8s)
}

/// One disruption budget for each program: a drain takes one pod after the other.
pub(super) fn budgets(mesh: &Mesh) -> Result<Vec<Object>, Unreadable> {
    [
        (CONTROL, "pilot", &mesh.control),
        (INJECTOR, "injector", &mesh.injector),
    ]
    .into_iter()
    .map(|(name, component, program)| {
        let object = Object::new(&budget(mesh, name));
        customise::budget(component, object, &program.k8s)
    })
    .collect()
}

fn budget(mesh: &Mesh, name: &str) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: meta::namespaced(mesh, name),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(LabelSelector {
                match_labels: Some(meta::selector(name)),
                ..LabelSelector::default()
            }),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}

fn service(mesh: &Mesh, name: &str, program: &Program, ports: Vec<ServicePort>) -> Service {
    let mut metadata = meta::namespaced(mesh, name);
    if !program.k8s.service_annotations.is_empty() {
        metadata.annotations = Some(program.k8s.service_annotations.clone());
    }
    Service {
        metadata,
        spec: Some(ServiceSpec {
            ip_family_policy: Some("PreferDualStack".to_owned()),
            ports: Some(ports),
            selector: Some(meta::selector(name)),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

pub(super) fn port(name: &str, port: i32, target: i32) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port,
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::Int(target)),
        ..ServicePort::default()
    }
}
