//! Who gets a sidecar, who does not, and that both work.

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use weft_e2e::{Mesh, Namespace, eventually, is_injected, seconds};

const STRICT: &str = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
";

/// A way to run a pod; whether it must be injected; the phase that it must reach.
struct Case {
    name: &'static str,
    object: Value,
    injected: bool,
    phase: &'static str,
}

#[tokio::test]
async fn every_kind_of_workload_is_injected_and_works_unless_it_opts_out() -> Result<()> {
    let mesh = Mesh::install(json!({})).await?;
    let namespace = mesh.namespace("e2e-inject").await?;
    // The kubelet has no certificate: that probes pass under STRICT is part of this.
    namespace.apply(STRICT).await?;
    namespace.apps(["server"]).await?;
    let cases = cases();
    for case in &cases {
        namespace.apply(&case.object.to_string()).await?;
    }
    for case in &cases {
        eventually(seconds(90), || check(&namespace, case)).await?;
    }
    namespace.delete().await
}

async fn check(namespace: &Namespace, case: &Case) -> Result<()> {
    let pods = namespace
        .cluster
        .pods(&namespace.name, &format!("case={}", case.name))
        .await?;
    let Some(pod) = pods.first() else {
        bail!("{} has no pod", case.name)
    };
    let status = pod.status.clone().unwrap_or_default();
    ensure!(
        is_injected(pod) == case.injected,
        "{}: injected is {}",
        case.name,
        !case.injected
    );
    let containers = json!([status.init_container_statuses, status.container_statuses]);
    ensure!(
        status.phase.as_deref() == Some(case.phase),
        "{}: {:?}, not {}: {containers}",
        case.name,
        status.phase,
        case.phase
    );
    Ok(())
}

fn cases() -> Vec<Case> {
    let runs = |name, object| Case {
        name,
        object,
        injected: true,
        phase: "Running",
    };
    let ends = |name, object| Case {
        name,
        object,
        injected: true,
        phase: "Succeeded",
    };
    let plain = |name, object| Case {
        name,
        object,
        injected: false,
        phase: "Running",
    };
    vec![
        runs(
            "statefulset",
            workload("StatefulSet", "statefulset", server()),
        ),
        runs("daemonset", workload("DaemonSet", "daemonset", server())),
        runs("pod", pod("pod", server())),
        runs("asks-in-init", pod("asks-in-init", with_init(server()))),
        ends("job", job("job")),
        ends("cronjob", cron_job("cronjob")),
        plain(
            "opted-out",
            labelled(pod("opted-out", server()), "weft.mesh/inject", "false"),
        ),
        plain("host-network", pod("host-network", host_network())),
    ]
}

fn server() -> Value {
    json!({"containers": [{
        "name": "app", "image": "localhost/weft-echo:dev", "args": ["serve", "http"],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        "livenessProbe": {"httpGet": {"path": "/alive", "port": 8080}, "periodSeconds": 1, "failureThreshold": 2},
    }]})
}

/// Ends well only if its one call is answered with 200 under STRICT.
fn caller() -> Value {
    json!({"restartPolicy": "Never", "containers": [asking("app")]})
}

fn asking(name: &str) -> Value {
    json!({"name": name, "image": "localhost/weft-echo:dev", "args": ["call", "--must-succeed", "http://server/"]})
}

fn with_init(mut spec: Value) -> Value {
    spec["initContainers"] = json!([asking("init")]);
    spec
}

fn host_network() -> Value {
    let app = json!({"name": "app", "image": "localhost/weft-echo:dev", "args": ["serve", "http", "[::]:18080"]});
    json!({"hostNetwork": true, "containers": [app]})
}

fn pod(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"case": name}}, "spec": spec})
}

fn labelled(mut object: Value, key: &str, value: &str) -> Value {
    object["metadata"]["labels"][key] = json!(value);
    object
}

fn template(name: &str, spec: Value) -> Value {
    json!({"metadata": {"labels": {"case": name}}, "spec": spec})
}

fn workload(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": {
        "selector": {"matchLabels": {"case": name}}, "template": template(name, spec),
    }})
}

fn job(name: &str) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {
        "backoffLimit": 0, "template": template(name, caller()),
    }})
}

fn cron_job(name: &str) -> Value {
    let job = json!({"spec": {"backoffLimit": 0, "template": template(name, caller())}});
    json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": {
        "schedule": "* * * * *", "jobTemplate": job,
    }})
}
