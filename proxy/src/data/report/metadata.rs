//! What a workload says of itself to other proxies: Istio's peer metadata.
//!
//! Base64 of a `google.protobuf.Struct` in `x-envoy-peer-metadata`. Read once for each peer and
//! written once for each worker, never for a request.

use super::Workload;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use std::sync::Arc;

const CANONICAL_NAME: &str = "service.istio.io/canonical-name";
const CANONICAL_REVISION: &str = "service.istio.io/canonical-revision";

/// The header's value for `workload`.
pub(super) fn encode(workload: &Workload) -> String {
    let labels = object([
        ("app", text(&workload.app)),
        ("version", text(&workload.version)),
        (CANONICAL_NAME, text(&workload.canonical_service)),
        (CANONICAL_REVISION, text(&workload.canonical_revision)),
    ]);
    let all = object([
        ("WORKLOAD_NAME", text(&workload.name)),
        ("NAMESPACE", text(&workload.namespace)),
        ("CLUSTER_ID", text(&workload.cluster)),
        ("LABELS", Some(Kind::StructValue(labels))),
    ]);
    STANDARD.encode(all.encode_to_vec())
}

/// The workload that `header` describes; what cannot be read is unknown.
pub(super) fn decode(header: &[u8]) -> Workload {
    let bytes = STANDARD.decode(header).unwrap_or_default();
    let all = Struct::decode(&*bytes).unwrap_or_default();
    let labels = match all
        .fields
        .get("LABELS")
        .and_then(|value| value.kind.as_ref())
    {
        Some(Kind::StructValue(labels)) => labels.clone(),
        _ => Struct::default(),
    };
    let [name, namespace, cluster] =
        ["WORKLOAD_NAME", "NAMESPACE", "CLUSTER_ID"].map(|key| string(&all, key));
    let label = |keys: &[&str]| {
        let found = keys
            .iter()
            .map(|key| string(&labels, key))
            .find(|text| !text.is_empty());
        found.unwrap_or_default()
    };
    let canonical = label(&[CANONICAL_NAME, "app.kubernetes.io/name", "app"]);
    Workload {
        app: label(&["app"]),
        version: label(&["version"]),
        canonical_service: if canonical.is_empty() {
            Arc::clone(&name)
        } else {
            canonical
        },
        canonical_revision: label(&[CANONICAL_REVISION, "app.kubernetes.io/version", "version"]),
        name,
        namespace,
        cluster,
    }
}

/// Absent when empty, as Istio leaves out labels that a pod does not have.
fn text(text: &Arc<str>) -> Option<Kind> {
    (!text.is_empty()).then(|| Kind::StringValue(text.to_string()))
}

fn object<const N: usize>(fields: [(&str, Option<Kind>); N]) -> Struct {
    let fields = fields
        .into_iter()
        .filter_map(|(key, kind)| Some((key.to_owned(), Value { kind: Some(kind?) })));
    Struct {
        fields: fields.collect(),
    }
}

fn string(object: &Struct, key: &str) -> Arc<str> {
    match object.fields.get(key).and_then(|value| value.kind.as_ref()) {
        Some(Kind::StringValue(text)) => text.as_str().into(),
        _ => Arc::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload() -> Workload {
        Workload {
            name: "reviews-v1".into(),
            namespace: "shop".into(),
            app: "reviews".into(),
            version: "v1".into(),
            canonical_service: "reviews".into(),
            canonical_revision: "v1".into(),
            cluster: "Kubernetes".into(),
        }
    }

    #[test]
    fn a_workload_survives_the_header() {
        assert_eq!(decode(encode(&workload()).as_bytes()), workload());
    }

    #[test]
    fn without_canonical_labels_the_app_is_the_service() {
        let bare = Workload {
            canonical_service: "".into(),
            canonical_revision: "".into(),
            ..workload()
        };
        assert_eq!(decode(encode(&bare).as_bytes()), workload());
    }

    #[test]
    fn garbage_is_an_unknown_workload() {
        for header in [&b""[..], b"?", b"AAAA", b"////"] {
            assert_eq!(decode(header), Workload::default(), "{header:?}");
        }
    }
}
