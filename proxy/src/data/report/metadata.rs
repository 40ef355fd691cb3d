//! What a workload says of itself to other proxies: Istio's peer metadata.
//!
//! Base64 of a `google.protobuf.Struct` in `x-envoy-peer-metadata`, or a frame at the start of a TCP connection. Read once for each peer and
//! written once for each worker, never for a request.

use super::Workload;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use prost_types::value::Kind;
use prost_types::{Any, Struct, Value};
use std::sync::Arc;

const CANONICAL_NAME: &str = "service.istio.io/canonical-name";
const CANONICAL_REVISION: &str = "service.istio.io/canonical-revision";

/// Keys of a frame's object, the names of the two headers.
const METADATA: &str = "x-envoy-peer-metadata";
const ID: &str = "x-envoy-peer-metadata-id";

/// The id of `workload` as a node.
pub(super) fn id(workload: &Workload) -> String {
    let (name, namespace) = (&workload.name, &workload.namespace);
    format!("sidecar~~{name}.{namespace}~{namespace}.svc.cluster.local")
}

/// The header's value for `workload`.
pub(super) fn encode(workload: &Workload) -> String {
    STANDARD.encode(describe(workload).encode_to_vec())
}

/// The text of a TCP frame for `workload`: an `Any` of an object with both headers' values.
pub(super) fn encode_frame(workload: &Workload) -> Vec<u8> {
    let all = object([
        (METADATA, Some(Kind::StructValue(describe(workload)))),
        (ID, Some(Kind::StringValue(id(workload)))),
    ]);
    let any = Any {
        type_url: "type.googleapis.com/google.protobuf.Struct".to_owned(),
        value: all.encode_to_vec(),
    };
    any.encode_to_vec()
}

/// The workload that a frame describes; what cannot be read is unknown.
pub(super) fn decode_frame(frame: &[u8]) -> Workload {
    let any = Any::decode(frame).unwrap_or_default();
    let all = Struct::decode(&*any.value).unwrap_or_default();
    match all
        .fields
        .get(METADATA)
        .and_then(|value| value.kind.as_ref())
    {
        Some(Kind::StructValue(metadata)) => read(metadata),
        _ => Workload::default(),
    }
}

fn describe(workload: &Workload) -> Struct {
    let labels = object([
        ("app", text(&workload.app)),
        ("version", text(&workload.version)),
        (CANONICAL_NAME, text(&workload.canonical_service)),
        (CANONICAL_REVISION, text(&workload.canonical_revision)),
    ]);
    object([
        ("WORKLOAD_NAME", text(&workload.name)),
        ("NAMESPACE", text(&workload.namespace)),
        ("CLUSTER_ID", text(&workload.cluster)),
        ("LABELS", Some(Kind::StructValue(labels))),
    ])
}

/// The workload that `header` describes; what cannot be read is unknown.
pub(super) fn decode(header: &[u8]) -> Workload {
    let bytes = STANDARD.decode(header).unwrap_or_default();
    read(&Struct::decode(&*bytes).unwrap_or_default())
}

fn read(all: &Struct) -> Workload {
    let labels = match all
        .fields
        .get("LABELS")
        .and_then(|value| value.kind.as_ref())
    {
        Some(Kind::StructValue(labels)) => labels.clone(),
        _ => Struct::default(),
    };
    let [name, namespace, cluster] =
        ["WORKLOAD_NAME", "NAMESPACE", "CLUSTER_ID"].map(|key| string(all, key));
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
        assert_eq!(decode_frame(&encode_frame(&workload())), workload());
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
            assert_eq!(decode_frame(header), Workload::default(), "{header:?}");
        }
    }
}
