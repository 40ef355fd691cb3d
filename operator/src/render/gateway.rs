//! Deployments of proxies at the edge.

use super::customise::{self, Unreadable};
use super::meta;
use crate::object::Object;
use crate::resolve::{Gateway, Mesh};
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::{Value, json};
use weft_api::labels::{CANONICAL_NAME, CANONICAL_REVISION};

/// Ports of the pods: they need no right to listen there. The Service has the usual numbers.
pub(super) const PORTS: [(&str, i32, i32); 3] = [
    ("status-port", 15021, 15021),
    ("http2", 80, 8080),
    ("https", 443, 8443),
];

pub(super) fn deployment(mesh: &Mesh, gateway: &Gateway) -> Result<Object, Unreadable> {
    let k8s = &gateway.program.k8s;
    // What is scaled by load has no number of its own.
    let replicas = k8s.hpa_spec.is_none().then_some(gateway.program.replicas);
    let deployment: Deployment = typed(json!({
        "metadata": meta::of_gateway(mesh, gateway, &gateway.name),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": meta::gateway_selector(gateway)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": {
                "metadata": {"labels": labels(mesh, gateway), "annotations": {
                    "prometheus.io/scrape": "true",
                    "prometheus.io/port": "15020",
                    "prometheus.io/path": "/stats/prometheus",
                }},
                "spec": pod(mesh, gateway),
            },
        },
    }));
    customise::deployment(&gateway.component(), Object::new(&deployment), k8s)
}

/// `value` as a kind of Kubernetes', all of whose fields are written here.
fn typed<K: serde::de::DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).expect("every field is of its kind")
}

fn labels(mesh: &Mesh, gateway: &Gateway) -> Value {
    let mut labels = meta::pod_labels(mesh, &gateway.name);
    labels.insert(CANONICAL_NAME.to_owned(), gateway.name.clone());
    labels.insert(CANONICAL_REVISION.to_owned(), "latest".to_owned());
    labels.extend(gateway.labels.clone());
    labels.extend(meta::gateway_selector(gateway));
    json!(labels)
}

fn pod(mesh: &Mesh, gateway: &Gateway) -> Value {
    let secrets = mesh.image_pull_secrets.iter();
    let secrets: Vec<Value> = secrets.map(|name| json!({ "name": name })).collect();
    let items = ["labels", "annotations"].map(|key| {
        let path = format!("metadata.{key}");
        json!({"path": key, "fieldRef": {"apiVersion": "v1", "fieldPath": path}})
    });
    json!({
        "serviceAccountName": meta::gateway_account(gateway),
        "imagePullSecrets": (!secrets.is_empty()).then_some(secrets),
        "containers": [container(mesh, gateway)],
        "securityContext": {
            "runAsNonRoot": true,
            "seccompProfile": {"type": mesh.injection.seccomp_profile},
        },
        "topologySpreadConstraints": [{
            "labelSelector": {"matchLabels": meta::gateway_selector(gateway)},
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
        }],
        "volumes": [
            {"name": "weft-token", "projected": {"sources": [{"serviceAccountToken":
                {"audience": "weft-ca", "expirationSeconds": 43200, "path": "token"}}]}},
            {"name": "weft-roots", "configMap": {"name": super::ROOTS}},
            {"name": "weft-state", "emptyDir": {"medium": "Memory"}},
            {"name": "weft-podinfo", "downwardAPI": {"items": items}},
        ],
    })
}

fn container(mesh: &Mesh, gateway: &Gateway) -> Value {
    let proxy = &mesh.injection.proxy;
    let ports = PORTS.iter().map(|(name, _, number)| (*name, *number));
    let ports = ports.chain([("http-envoy-prom", 15090)]);
    let ports = ports
        .map(|(name, number)| json!({"name": name, "containerPort": number, "protocol": "TCP"}));
    let probe = |path: &str, period: i32, failures: i32| {
        json!({
            "httpGet": {"path": path, "port": 15021, "scheme": "HTTP"},
            "periodSeconds": period,
            "failureThreshold": failures,
            "timeoutSeconds": 3,
        })
    };
    json!({
        "name": "weft-proxy",
        "image": gateway.program.image,
        "imagePullPolicy": gateway.program.pull_policy.as_str(),
        "args": ["run"],
        "env": environment(mesh, gateway),
        "ports": ports.collect::<Vec<_>>(),
        "readinessProbe": probe("/healthz/ready", 2, 3),
        "livenessProbe": probe("/healthz/live", 10, 6),
        // Istio's amounts for gateways.
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"cpu": "2", "memory": "1Gi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
            "runAsUser": proxy.uid,
            "runAsGroup": proxy.gid,
        },
        "volumeMounts": [
            {"name": "weft-token", "mountPath": "/var/run/secrets/weft/token", "readOnly": true},
            {"name": "weft-roots", "mountPath": "/var/run/secrets/weft/roots", "readOnly": true},
            {"name": "weft-state", "mountPath": "/var/lib/weft"},
            {"name": "weft-podinfo", "mountPath": "/etc/weft/podinfo", "readOnly": true},
        ],
    })
}

fn environment(mesh: &Mesh, gateway: &Gateway) -> Vec<Value> {
    let settings = &mesh.injection;
    let proxy = &settings.proxy;
    let Gateway {
        name, namespace, ..
    } = gateway;
    let owner = format!("kubernetes://apis/apps/v1/namespaces/{namespace}/deployments/{name}");
    let fields = [
        ("POD_NAME", "metadata.name"),
        ("POD_NAMESPACE", "metadata.namespace"),
        ("POD_IP", "status.podIP"),
        ("POD_IPS", "status.podIPs"),
        ("NODE_NAME", "spec.nodeName"),
        ("HOST_IP", "status.hostIP"),
        ("SERVICE_ACCOUNT", "spec.serviceAccountName"),
    ];
    let fields = fields.map(|(name, path)| {
        json!({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}})
    });
    let limit = json!({"name": "WEFT_CPU_LIMIT", "valueFrom": {"resourceFieldRef":
        {"containerName": "weft-proxy", "divisor": "1m", "resource": "limits.cpu"}}});
    let values = [
        ("WEFT_ROLE", "router"),
        ("WEFT_CONTROL", &settings.control),
        ("WEFT_TRUST_DOMAIN", &settings.trust_domain),
        ("WEFT_CLUSTER_ID", &settings.cluster_id),
        ("WEFT_REVISION", &mesh.revision),
        ("WEFT_VERSION", &mesh.version),
        ("WEFT_WORKLOAD", name),
        ("WEFT_OWNER", &owner),
        ("WEFT_LOG", &proxy.log),
        ("WEFT_LOG_FORMAT", &proxy.log_format),
        ("WEFT_DRAIN", &proxy.drain),
        ("WEFT_MINIMUM_DRAIN", &proxy.minimum_drain),
        ("WEFT_CERT_TTL", &proxy.cert_ttl),
    ];
    let values = values.map(|(name, value)| json!({"name": name, "value": value}));
    let mut all = fields.to_vec();
    // Without a limit the kubelet would tell the CPUs of the whole node.
    let wanted = gateway.program.k8s.resources.as_ref();
    if wanted.is_none_or(|resources| resources.limits.contains_key("cpu")) {
        all.push(limit);
    }
    all.extend(values);
    all
}
