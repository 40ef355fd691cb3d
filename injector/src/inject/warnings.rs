//! What is likely to go wrong with a pod although it can be injected.

use super::sidecar::Sidecar;
use super::workload::Workload;
use crate::{Namespace, Subject};
use k8s_openapi::api::core::v1::PodSpec;

/// One sentence for each risk.
pub(super) fn of(pod: &Subject, namespace: &Namespace, sidecar: &Sidecar) -> Vec<String> {
    let Some(spec) = &pod.typed.spec else {
        return Vec::new();
    };
    [
        pod_security(namespace),
        endless_job(&Workload::of(&pod.typed, &namespace.name), sidecar),
        reserved_port(spec),
        short_grace(spec, sidecar),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn pod_security(namespace: &Namespace) -> Option<String> {
    let level = namespace.labels.get("pod-security.kubernetes.io/enforce")?;
    (level != "privileged").then(|| {
        format!(
            "namespace {} enforces Pod Security level {level}, which forbids the NET_ADMIN that container weft-init needs, so that the pod will be refused; label the namespace pod-security.kubernetes.io/enforce=privileged, or the pod weft.mesh/inject=false",
            namespace.name
        )
    })
}

fn endless_job(workload: &Workload, sidecar: &Sidecar) -> Option<String> {
    (workload.is_job && !sidecar.native).then(|| {
        "the sidecar of this Job is an ordinary container, so that the Job does not complete; remove the annotation weft.mesh/native-sidecar".into()
    })
}

fn reserved_port(spec: &PodSpec) -> Option<String> {
    const RESERVED: [i32; 7] = [15000, 15001, 15006, 15020, 15021, 15053, 15090];
    let (container, port) = spec.containers.iter().find_map(|container| {
        let ports = container
            .ports
            .iter()
            .flatten()
            .map(|port| port.container_port);
        ports
            .into_iter()
            .find(|port| RESERVED.contains(port))
            .map(|port| (&container.name, port))
    })?;
    Some(format!(
        "container {container} listens on port {port}, which the proxy needs; choose another port"
    ))
}

fn short_grace(spec: &PodSpec, sidecar: &Sidecar) -> Option<String> {
    let drain = &sidecar.settings.proxy.drain;
    let seconds: i64 = drain.strip_suffix('s')?.parse().ok()?;
    let grace = spec.termination_grace_period_seconds.unwrap_or(30);
    (grace <= seconds).then(|| {
        format!(
            "the proxy may need {drain} to end open connections but terminationGracePeriodSeconds is {grace}; raise it, or set the annotation weft.mesh/drain"
        )
    })
}
