//! The containers `weft-init` and `weft-proxy` as the mesh's settings want them.

use super::Parts;
use super::marker::{INIT, PROXY};
use super::sidecar::Sidecar;
use super::volumes;
use super::workload::Workload;
use serde_json::{Value, json};
use weft_api::injection::InjectionSettings;

/// Port of the proxy's health and of the application's probes.
pub(super) const HEALTH_PORT: u16 = 15021;

/// Both containers; templates and the pod itself are merged over them afterwards.
pub(super) fn parts(sidecar: &Sidecar, workload: &Workload) -> Parts {
    Parts {
        init: init(&sidecar.settings),
        proxy: proxy(sidecar, workload),
    }
}

/// Adds a variable, or changes it. Kubernetes would put other variables in the place of `$(NAME)`,
/// so that is escaped; [`env_text`] is the way back.
pub(super) fn set_env(container: &mut Value, name: &str, value: String) {
    let new = json!({"name": name, "value": value.replace("$(", "$$(")});
    let Some(env) = container["env"].as_array_mut() else {
        container["env"] = json!([new]);
        return;
    };
    match env.iter_mut().find(|e| e["name"] == name) {
        Some(old) => *old = new,
        None => env.push(new),
    }
}

/// The text that [`set_env`] was given for `name`.
pub(super) fn env_text(container: &Value, name: &str) -> Option<String> {
    let env = container["env"].as_array()?;
    let variable = env.iter().find(|e| e["name"] == name)?;
    Some(variable["value"].as_str()?.replace("$$(", "$("))
}

/// Writes the capture rules: for that it needs NET_ADMIN in its effective set, which only uid 0 gets.
fn init(settings: &InjectionSettings) -> Value {
    let image = if settings.init.image.is_empty() {
        &settings.proxy.image
    } else {
        &settings.init.image
    };
    let mut container = json!({
        "name": INIT,
        "image": image,
        "args": ["init"],
        "env": init_env(settings),
        "resources": settings.init.resources,
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
            "privileged": false,
            "readOnlyRootFilesystem": true,
            "runAsGroup": 0,
            "runAsNonRoot": false,
            "runAsUser": 0,
            "seccompProfile": {"type": settings.seccomp_profile},
        },
    });
    pull_policy(&mut container, settings);
    container
}

fn init_env(settings: &InjectionSettings) -> Value {
    let capture = &settings.interception;
    let proxy = &settings.proxy;
    json!([
        {"name": "WEFT_INBOUND_PORTS_INCLUDE", "value": capture.include_inbound_ports},
        {"name": "WEFT_INBOUND_PORTS_EXCLUDE", "value": capture.exclude_inbound_ports},
        {"name": "WEFT_OUTBOUND_PORTS_INCLUDE", "value": capture.include_outbound_ports},
        {"name": "WEFT_OUTBOUND_PORTS_EXCLUDE", "value": capture.exclude_outbound_ports},
        {"name": "WEFT_OUTBOUND_RANGES_INCLUDE", "value": capture.include_outbound_ip_ranges},
        {"name": "WEFT_OUTBOUND_RANGES_EXCLUDE", "value": capture.exclude_outbound_ip_ranges},
        {"name": "WEFT_PROXY_UID", "value": proxy.uid.to_string()},
        {"name": "WEFT_PROXY_GID", "value": proxy.gid.to_string()},
        {"name": "WEFT_DNS_CAPTURE", "value": capture.dns_capture.to_string()},
    ])
}

fn proxy(sidecar: &Sidecar, workload: &Workload) -> Value {
    let settings = &sidecar.settings;
    let mut container = json!({
        "name": PROXY,
        "image": settings.proxy.image,
        "args": ["run"],
        "env": env(settings, workload),
        "ports": [{"containerPort": 15090, "name": "http-envoy-prom", "protocol": "TCP"}],
        "resources": settings.proxy.resources,
        "readinessProbe": probe("/healthz/ready", (2, 3)),
        "livenessProbe": probe("/healthz/live", (10, 6)),
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "privileged": false,
            "readOnlyRootFilesystem": true,
            "runAsGroup": settings.proxy.gid,
            "runAsNonRoot": true,
            "runAsUser": settings.proxy.uid,
            "seccompProfile": {"type": settings.seccomp_profile},
        },
        "volumeMounts": volumes::mounts(),
    });
    pull_policy(&mut container, settings);
    shape(&mut container, sidecar);
    container
}

/// Native: the kubelet starts what comes after it once its startup probe has passed, and ends it
/// after everything else. The probe has patience for ten hours: a proxy that waits for the control
/// plane must not be restarted for it.
fn shape(container: &mut Value, sidecar: &Sidecar) {
    let hold = sidecar.settings.proxy.hold_application;
    if sidecar.native {
        container["restartPolicy"] = json!("Always");
    }
    match (sidecar.native, hold) {
        (true, true) => container["startupProbe"] = probe("/healthz/ready", (1, 36_000)),
        // The kubelet starts the next container once this has ended.
        (false, true) => {
            container["lifecycle"] =
                json!({"postStart": {"exec": {"command": ["/weft-proxy", "wait"]}}});
        }
        (_, false) => {}
    }
}

fn probe(path: &str, (period_seconds, failures): (u32, u32)) -> Value {
    json!({
        "httpGet": {"path": path, "port": HEALTH_PORT, "scheme": "HTTP"},
        "periodSeconds": period_seconds,
        "failureThreshold": failures,
        "timeoutSeconds": 3,
    })
}

/// Lets the proxy start as many workers as it has CPUs. Without a limit the kubelet would tell the
/// CPUs of the whole node.
pub(super) fn tell_cpu_limit(proxy: &mut Value) {
    if proxy["resources"]["limits"]["cpu"].is_null() {
        return;
    }
    let limit = json!({"name": "WEFT_CPU_LIMIT", "valueFrom": {"resourceFieldRef":
        {"containerName": PROXY, "divisor": "1m", "resource": "limits.cpu"}}});
    if let Some(env) = proxy["env"].as_array_mut() {
        env.push(limit);
    }
}

fn pull_policy(container: &mut Value, settings: &InjectionSettings) {
    if let Some(policy) = &settings.image_pull_policy {
        container["imagePullPolicy"] = json!(policy);
    }
}

fn env(settings: &InjectionSettings, workload: &Workload) -> Vec<Value> {
    let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}});
    let value = |name: &str, value: &str| json!({"name": name, "value": value});
    let proxy = &settings.proxy;
    vec![
        field("POD_NAME", "metadata.name"),
        field("POD_NAMESPACE", "metadata.namespace"),
        field("POD_IP", "status.podIP"),
        field("POD_IPS", "status.podIPs"),
        field("NODE_NAME", "spec.nodeName"),
        field("HOST_IP", "status.hostIP"),
        field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
        value("WEFT_CONTROL", &settings.control),
        value("WEFT_TRUST_DOMAIN", &settings.trust_domain),
        value("WEFT_CLUSTER_ID", &settings.cluster_id),
        value("WEFT_REVISION", &settings.revision),
        value("WEFT_VERSION", &settings.version),
        value("WEFT_WORKLOAD", &workload.name),
        value("WEFT_OWNER", &workload.owner),
        value("WEFT_CONCURRENCY", &proxy.concurrency.to_string()),
        value("WEFT_LOG", &proxy.log),
        value("WEFT_LOG_FORMAT", &proxy.log_format),
        value("WEFT_DRAIN", &proxy.drain),
        value("WEFT_MINIMUM_DRAIN", &proxy.minimum_drain),
        value("WEFT_CERT_TTL", &proxy.cert_ttl),
        value(
            "WEFT_DNS_CAPTURE",
            &settings.interception.dns_capture.to_string(),
        ),
    ]
}
