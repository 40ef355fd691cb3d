//! The pod's Prometheus annotations: turned towards the proxy, which adds the application's series
//! to its own.

use super::containers::set_env;
use super::sidecar::Sidecar;
use super::{Parts, set_metadata};
use serde_json::{Map, Value, json};

const SCRAPE: &str = "prometheus.io/scrape";
const PORT: &str = "prometheus.io/port";
const PATH: &str = "prometheus.io/path";
const SCHEME: &str = "prometheus.io/scheme";

/// Points the scraper at the proxy and tells the proxy where it pointed before. Returns the former
/// annotations, or `None` where nothing was changed.
pub(super) fn redirect(
    pod: &mut Value,
    parts: &mut Parts,
    sidecar: &Sidecar,
) -> Option<Map<String, Value>> {
    let former = annotations(pod);
    let text = |key: &str| former.get(key).and_then(Value::as_str);
    if !sidecar.settings.prometheus_merge || text(SCRAPE) == Some("false") {
        return None;
    }
    if let (Some("true"), Some(port)) = (text(SCRAPE), text(PORT)) {
        let application = json!({
            "port": port,
            "path": text(PATH).unwrap_or("/metrics"),
            "scheme": text(SCHEME).unwrap_or("http"),
        });
        set_env(
            &mut parts.proxy,
            "WEFT_APP_METRICS",
            application.to_string(),
        );
    }
    for (key, value) in [
        (SCRAPE, "true"),
        (PORT, "15020"),
        (PATH, "/stats/prometheus"),
        (SCHEME, "http"),
    ] {
        set_metadata(pod, "annotations", key, value.into());
    }
    Some(former)
}

/// Puts the pod's own annotations back.
pub(super) fn restore(pod: &mut Value, former: &Map<String, Value>) {
    if let Some(all) = pod["metadata"]["annotations"].as_object_mut() {
        all.retain(|key, _| ![SCRAPE, PORT, PATH, SCHEME].contains(&key.as_str()));
        all.extend(former.clone());
    }
}

fn annotations(pod: &Value) -> Map<String, Value> {
    let all = &pod["metadata"]["annotations"];
    let own = |key: &str| Some((key.to_owned(), all.get(key)?.clone()));
    [SCRAPE, PORT, PATH, SCHEME]
        .into_iter()
        .filter_map(own)
        .collect()
}
