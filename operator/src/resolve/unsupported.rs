//! Fields that are part of the API but whose machinery is not built yet.
//!
//! They are accepted, so that one file can serve today and later, and a condition names them.

use super::paths::read;
use serde_json::{Value, json};

/// When a field asks for something that does not exist yet.
enum Asks {
    /// Whenever it is set.
    Always,
    /// Unless it has this value, which is what happens anyway.
    Unless(Value),
}

/// Names of the fields of `spec`, as the user wrote it, that do nothing yet.
pub(super) fn fields(spec: &Value) -> Vec<String> {
    let from_table = table().into_iter().filter_map(|(path, asks)| {
        let value = read(spec, path)?;
        let empty = value.as_array().is_some_and(Vec::is_empty);
        let asked = match asks {
            Asks::Always => !empty,
            Asks::Unless(done) => *value != done,
        };
        asked.then(|| path.to_owned())
    });
    let updates = update_fields(spec);
    from_table
        .chain(gateway_fields(spec))
        .chain(other_components(spec))
        .chain(updates)
        .collect()
}

/// How proxies get a new version: only the pace of evictions is used yet.
fn update_fields(spec: &Value) -> Vec<String> {
    let update = read(spec, "dataPlane.update").and_then(Value::as_object);
    let fields = update.into_iter().flat_map(|update| update.keys());
    fields
        .filter(|name| *name != "maxPodsPerMinute")
        .map(|name| format!("dataPlane.update.{name}"))
        .collect()
}

/// Fields of single gateways.
fn gateway_fields(spec: &Value) -> Vec<String> {
    const FIELDS: [&str; 3] = ["gatewayClassName", "k8s.overlays", "upgradeWave"];
    let lists = ["components.egressGateways", "components.ingressGateways"];
    let gateways = lists.into_iter().flat_map(|path| {
        let list = read(spec, path).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .map(move |gateway| (path, gateway))
    });
    let fields = gateways.flat_map(|(path, gateway)| {
        let name = gateway["name"].as_str().unwrap_or_default();
        let set = FIELDS
            .into_iter()
            .filter(|field| read(gateway, field).is_some());
        set.map(move |field| format!("{path}[{name}].{field}"))
    });
    fields.collect()
}

fn table() -> Vec<(&'static str, Asks)> {
    use Asks::{Always, Unless};
    vec![
        ("addons.grafana", Always),
        ("addons.jaeger", Always),
        ("addons.kiali", Always),
        ("addons.prometheus.labels", Always),
        ("addons.prometheus.mode", Unless(json!("Annotations"))),
        ("allowDowngrade", Unless(json!(false))),
        ("ca.keyAlgorithm", Unless(json!("ECDSA-P256"))),
        ("ca.provider", Unless(json!("SelfSigned"))),
        ("ca.rotation", Always),
        ("ca.trustDistribution", Unless(json!("ConfigMap"))),
        ("channel", Unless(json!("None"))),
        ("components.cni", Always),
        ("components.injector.k8s.hpaSpec", Always),
        ("components.injector.k8s.overlays", Always),
        ("components.pilot.k8s.hpaSpec", Always),
        ("components.pilot.k8s.overlays", Always),
        ("injection.mechanism", Unless(json!("Webhook"))),
        ("management", Unless(json!("Managed"))),
        ("meshConfig.accessLog.sampling", Unless(json!(100))),
        ("meshConfig.discoverySelectors", Always),
        ("meshConfig.tracing", Always),
        ("proxy.autoTune", Always),
        (
            "proxy.lifecycle.exitOnZeroActiveConnections",
            Unless(json!(true)),
        ),
        ("proxy.statusPort", Unless(json!(15021))),
        ("uninstall.keepCRDs", Unless(json!(true))),
        ("updateStrategy", Always),
        ("values.pilot.traceSampling", Always),
        ("webhookCertificate.provider", Unless(json!("SelfManaged"))),
    ]
}

/// Istio's components that Weft does not have.
fn other_components(spec: &Value) -> Vec<String> {
    const OURS: &[&str] = &[
        "pilot",
        "injector",
        "cni",
        "ingressGateways",
        "egressGateways",
    ];
    let components = read(spec, "components").and_then(Value::as_object);
    components
        .into_iter()
        .flat_map(|components| components.keys())
        .filter(|name| !OURS.contains(&name.as_str()))
        .map(|name| format!("components.{name}"))
        .collect()
}
