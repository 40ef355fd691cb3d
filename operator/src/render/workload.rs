//! Deployments of the control plane and the injector.

use super::customise::{self, Unreadable};
use super::{CONTROL, INJECTOR, meta};
use crate::object::Object;
use crate::resolve::{Mesh, Program};
use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction,
    LocalObjectReference, ObjectFieldSelector, PodSecurityContext, PodSpec, PodTemplateSpec, Probe,
    ResourceRequirements, SeccompProfile, SecurityContext, TopologySpreadConstraint,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeMap;

/// User and group of the mesh's own programs; they own nothing.
const NOBODY: i64 = 65532;
/// What a node must have free for each program, until the user says otherwise; only memory has a
/// limit, because a throttled control plane is a slow one.
const RESOURCES: [(&str, Amounts); 2] = [
    (
        CONTROL,
        Amounts {
            cpu: "50m",
            memory: "128Mi",
            most_memory: "1Gi",
        },
    ),
    (
        INJECTOR,
        Amounts {
            cpu: "10m",
            memory: "32Mi",
            most_memory: "256Mi",
        },
    ),
];
/// Health and metrics of both programs, plain HTTP.
const MONITORING: (&str, i32) = ("http-monitoring", 15014);

/// Resources of one program.
struct Amounts {
    cpu: &'static str,
    memory: &'static str,
    most_memory: &'static str,
}

pub(super) fn control(mesh: &Mesh) -> Result<Object, Unreadable> {
    let deployment = deployment(mesh, CONTROL, &mesh.control, ("grpc-xds", 15012));
    customise::deployment("pilot", Object::new(&deployment), &mesh.control.k8s)
}

pub(super) fn injector(mesh: &Mesh) -> Result<Object, Unreadable> {
    let deployment = deployment(mesh, INJECTOR, &mesh.injector, ("https-webhook", 15017));
    customise::deployment("injector", Object::new(&deployment), &mesh.injector.k8s)
}

fn deployment(mesh: &Mesh, name: &str, program: &Program, port: (&str, i32)) -> Deployment {
    Deployment {
        metadata: meta::namespaced(mesh, name),
        spec: Some(DeploymentSpec {
            replicas: Some(program.replicas),
            selector: selector(name),
            // Never fewer than wanted, also while a new version comes.
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::Int(1)),
                    max_unavailable: Some(IntOrString::Int(0)),
                }),
            }),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(meta::pod_labels(mesh, name)),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(mesh, name, container(mesh, name, program, port))),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn pod(mesh: &Mesh, name: &str, container: Container) -> PodSpec {
    let secret = |name: &String| LocalObjectReference { name: name.clone() };
    let secrets: Vec<_> = mesh.image_pull_secrets.iter().map(secret).collect();
    PodSpec {
        service_account_name: Some(name.to_owned()),
        image_pull_secrets: (!secrets.is_empty()).then_some(secrets),
        containers: vec![container],
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(NOBODY),
            run_as_group: Some(NOBODY),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        topology_spread_constraints: Some(vec![TopologySpreadConstraint {
            label_selector: Some(selector(name)),
            max_skew: 1,
            topology_key: "kubernetes.io/hostname".to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            ..TopologySpreadConstraint::default()
        }]),
        ..PodSpec::default()
    }
}

fn container(mesh: &Mesh, name: &str, program: &Program, (port, number): (&str, i32)) -> Container {
    Container {
        name: name.to_owned(),
        image: Some(program.image.clone()),
        image_pull_policy: Some(program.pull_policy.as_str().to_owned()),
        env: Some(environment(mesh)),
        ports: Some(vec![
            container_port(port, number),
            container_port(MONITORING.0, MONITORING.1),
        ]),
        resources: resources(name),
        liveness_probe: Some(probe("/healthz", 10)),
        readiness_probe: Some(probe("/readyz", 2)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                ..Capabilities::default()
            }),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

fn resources(name: &str) -> Option<ResourceRequirements> {
    let (_, amounts) = RESOURCES.iter().find(|(program, _)| *program == name)?;
    let quantity = |text: &str| Quantity(text.to_owned());
    let memory = "memory".to_owned();
    Some(ResourceRequirements {
        requests: Some(BTreeMap::from([
            ("cpu".to_owned(), quantity(amounts.cpu)),
            (memory.clone(), quantity(amounts.memory)),
        ])),
        limits: Some(BTreeMap::from([(memory, quantity(amounts.most_memory))])),
        ..ResourceRequirements::default()
    })
}

fn environment(mesh: &Mesh) -> Vec<EnvVar> {
    let field = |name: &str, path: &str| EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: path.to_owned(),
                ..ObjectFieldSelector::default()
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    };
    let value = |name: &str, value: &str| EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        ..EnvVar::default()
    };
    vec![
        field("POD_NAME", "metadata.name"),
        field("POD_NAMESPACE", "metadata.namespace"),
        field("POD_IP", "status.podIP"),
        value("WEFT_REVISION", &mesh.revision),
        value("WEFT_VERSION", &mesh.version),
        value("WEFT_LOG", "warn,weft=info"),
    ]
}

fn probe(path: &str, period: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(MONITORING.0.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        ..Probe::default()
    }
}

fn container_port(name: &str, number: i32) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

fn selector(name: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Some(meta::selector(name)),
        ..LabelSelector::default()
    }
}
