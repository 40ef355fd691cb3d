//! Where a field that is absent in the spec gets its value from: `values`, Istio's older keys of
//! `meshConfig`, the profile; in this order. Each is a table.

use super::paths::{fill, leaves_outside, read};
use serde_json::{Value, json};
use weft_api::operator::Profile;

/// Keys of `spec.values` that Weft knows, and the field of the spec that each stands for.
///
/// Source: Istio's `values.yaml` of istiod and the `IstioOperator` API.
const VALUES: &[(&str, &str)] = &[
    ("global.hub", "hub"),
    ("global.imagePullPolicy", "imagePullPolicy"),
    ("global.imagePullSecrets", "imagePullSecrets"),
    (
        "global.proxy.excludeIPRanges",
        "injection.interception.excludeOutboundIPRanges",
    ),
    (
        "global.proxy.excludeInboundPorts",
        "injection.interception.excludeInboundPorts",
    ),
    (
        "global.proxy.excludeOutboundPorts",
        "injection.interception.excludeOutboundPorts",
    ),
    (
        "global.proxy.holdApplicationUntilProxyStarts",
        "proxy.lifecycle.holdApplicationUntilProxyStarts",
    ),
    (
        "global.proxy.includeIPRanges",
        "injection.interception.includeOutboundIPRanges",
    ),
    ("global.proxy.logLevel", "proxy.logLevel"),
    ("global.proxy.resources", "proxy.resources"),
    ("global.proxy.statusPort", "proxy.statusPort"),
    ("global.proxy_init.resources", "proxy.initResources"),
    ("global.tag", "tag"),
    ("global.trustDomain", "meshConfig.trustDomain"),
    ("pilot.env", "components.pilot.k8s.env"),
    ("pilot.replicaCount", "components.pilot.k8s.replicaCount"),
    ("pilot.resources", "components.pilot.k8s.resources"),
    ("pilot.traceSampling", "meshConfig.tracing.sampling"),
    (
        "sidecarInjectorWebhook.alwaysInjectSelector",
        "injection.alwaysInjectSelector",
    ),
    (
        "sidecarInjectorWebhook.defaultTemplates",
        "injection.template.defaultTemplates",
    ),
    (
        "sidecarInjectorWebhook.neverInjectSelector",
        "injection.neverInjectSelector",
    ),
    (
        "sidecarInjectorWebhook.reinvocationPolicy",
        "injection.reinvocationPolicy",
    ),
    (
        "sidecarInjectorWebhook.rewriteAppHTTPProbe",
        "injection.rewriteAppHTTPProbes",
    ),
    (
        "sidecarInjectorWebhook.templates",
        "injection.template.inline",
    ),
];

/// Keys of Istio's `meshConfig` that have a field elsewhere in the spec.
const MESH_CONFIG: &[(&str, &str)] = &[
    ("defaultConfig.concurrency", "proxy.concurrency"),
    (
        "defaultConfig.holdApplicationUntilProxyStarts",
        "proxy.lifecycle.holdApplicationUntilProxyStarts",
    ),
    (
        "defaultConfig.proxyMetadata.ISTIO_META_DNS_CAPTURE",
        "injection.interception.dnsCapture",
    ),
    (
        "defaultConfig.terminationDrainDuration",
        "proxy.lifecycle.terminationDrainDuration",
    ),
    (
        "defaultConfig.tracing.sampling",
        "meshConfig.tracing.sampling",
    ),
    ("enableTracing", "meshConfig.tracing.enabled"),
];

/// Fields of `meshConfig` itself; everything else there is an unknown key.
const MESH_CONFIG_FIELDS: &[&str] = &[
    "accessLog",
    "accessLogEncoding",
    "accessLogFile",
    "accessLogFormat",
    "discoverySelectors",
    "mtls",
    "outboundTrafficPolicy",
    "tracing",
    "trustDomain",
    "trustDomainAliases",
];

/// Fills the absent fields of `spec` and returns the keys that nothing understands.
pub(super) fn fill_absent(spec: &mut Value) -> Vec<String> {
    let values = spec.get("values").cloned().unwrap_or_default();
    let mesh_config = spec.get("meshConfig").cloned().unwrap_or_default();
    fill_from(spec, &values, VALUES);
    fill_from(spec, &mesh_config, MESH_CONFIG);
    let profile = read(spec, "profile").and_then(|name| serde_json::from_value(name.clone()).ok());
    for (path, value) in profile_values(profile.unwrap_or_default()) {
        fill(spec, path, &value);
    }
    unknown(&values, &mesh_config)
}

/// Gives each field that `source` has a value for.
fn fill_from(spec: &mut Value, source: &Value, table: &[(&str, &str)]) {
    for (key, field) in table {
        match read(source, key) {
            // Helm's values often carry empty texts that mean "not set".
            Some(Value::String(text)) if text.is_empty() => {}
            // Istio's proxyMetadata is all texts.
            Some(Value::String(text)) if text == "true" || text == "false" => {
                fill(spec, field, &json!(text == "true"));
            }
            Some(value) => fill(spec, field, value),
            None => {}
        }
    }
}

/// What a profile sets.
fn profile_values(profile: Profile) -> Vec<(&'static str, Value)> {
    match profile {
        Profile::Empty | Profile::Minimal | Profile::Default => Vec::new(),
        Profile::Demo => vec![
            ("components.pilot.k8s.replicaCount", json!(1)),
            ("components.injector.k8s.replicaCount", json!(1)),
            ("meshConfig.accessLogFile", json!("/dev/stdout")),
            ("meshConfig.tracing.sampling", json!(100)),
        ],
        Profile::Production => vec![
            ("components.pilot.k8s.resources.requests.cpu", json!("500m")),
            (
                "components.pilot.k8s.resources.requests.memory",
                json!("512Mi"),
            ),
        ],
    }
}

/// Keys that nothing understands, with their full paths.
fn unknown(values: &Value, mesh_config: &Value) -> Vec<String> {
    let known: Vec<&str> = VALUES.iter().map(|(key, _)| *key).collect();
    let fields: Vec<&str> = MESH_CONFIG
        .iter()
        .map(|(key, _)| *key)
        .chain(MESH_CONFIG_FIELDS.iter().copied())
        .collect();
    let in_values = leaves_outside(values, &known)
        .into_iter()
        .map(|key| format!("values.{key}"));
    let in_mesh = leaves_outside(mesh_config, &fields)
        .into_iter()
        .map(|key| format!("meshConfig.{key}"));
    in_values.chain(in_mesh).collect()
}
