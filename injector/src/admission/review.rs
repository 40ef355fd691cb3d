//! `AdmissionReview` v1 as bytes: read strictly, written in full.

use crate::Verdict;
use axum::Json;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use json_patch::Patch;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The API version that we speak.
const VERSION: &str = "admission.k8s.io/v1";

/// A body that is no review.
#[derive(Debug, thiserror::Error)]
pub(super) enum Malformed {
    #[error(
        "the body is no AdmissionReview: {0}; send JSON of kind AdmissionReview, version admission.k8s.io/v1"
    )]
    NotAReview(String),
    #[error("the review has version {0}; send admission.k8s.io/v1")]
    Version(String),
    #[error("the review has no request with a uid; send one")]
    NoRequest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    api_version: String,
    request: Option<Request>,
}

/// What the API server asks.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Request {
    pub(super) uid: String,
    pub(super) namespace: String,
    pub(super) object: Value,
    operation: String,
    sub_resource: String,
    resource: Resource,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resource {
    group: String,
    resource: String,
}

impl Request {
    /// Everything else than the creation of a pod passes unchanged.
    pub(super) fn is_for_new_pod(&self) -> bool {
        self.operation == "CREATE"
            && self.sub_resource.is_empty()
            && self.resource.group.is_empty()
            && self.resource.resource == "pods"
    }

    /// Namespace and name for the log; generated names are not known yet.
    pub(super) fn pod_name(&self) -> String {
        let meta = &self.object["metadata"];
        let name = meta["name"].as_str().filter(|name| !name.is_empty());
        let name = name.or(meta["generateName"].as_str()).unwrap_or("?");
        format!("{}/{name}", self.namespace)
    }
}

/// Reads a review.
///
/// # Errors
/// If the body is none.
pub(super) fn read(body: &[u8]) -> Result<Request, Malformed> {
    let review: Review =
        serde_json::from_slice(body).map_err(|e| Malformed::NotAReview(e.to_string()))?;
    if review.api_version != VERSION {
        return Err(Malformed::Version(review.api_version));
    }
    review
        .request
        .filter(|request| !request.uid.is_empty())
        .ok_or(Malformed::NoRequest)
}

/// The answer for what we have nothing to say about.
pub(super) fn untouched(uid: &str) -> Json<Value> {
    response(json!({"uid": uid, "allowed": true}))
}

/// The answer to `request`.
pub(super) fn answer(request: &Request, verdict: &Verdict) -> Json<Value> {
    let mut answer = match verdict {
        Verdict::Injected { patch, warnings } => patched(patch, warnings),
        Verdict::Skipped { skip, patch } => {
            let told = skip.is_surprising().then(|| format!("no sidecar: {skip}"));
            patched(patch, &told.into_iter().collect::<Vec<_>>())
        }
        Verdict::Denied(refused) => {
            let status =
                json!({"code": 422, "reason": "Invalid", "message": format!("weft: {refused}")});
            Map::from_iter([
                ("allowed".to_owned(), json!(false)),
                ("status".to_owned(), status),
            ])
        }
    };
    let (result, reason) = verdict.labels();
    answer.insert("uid".into(), json!(request.uid));
    answer.insert(
        "auditAnnotations".into(),
        json!({"result": result, "reason": reason}),
    );
    response(Value::Object(answer))
}

fn patched(patch: &Patch, warnings: &[String]) -> Map<String, Value> {
    let mut answer = Map::from_iter([("allowed".to_owned(), json!(true))]);
    if !patch.is_empty() {
        let text = serde_json::to_vec(patch).expect("a patch is JSON by its nature");
        answer.insert("patchType".into(), json!("JSONPatch"));
        answer.insert("patch".into(), json!(STANDARD.encode(text)));
    }
    if !warnings.is_empty() {
        let warnings: Vec<String> = warnings.iter().map(|w| format!("weft: {w}")).collect();
        answer.insert("warnings".into(), json!(warnings));
    }
    answer
}

fn response(response: Value) -> Json<Value> {
    Json(json!({"apiVersion": VERSION, "kind": "AdmissionReview", "response": response}))
}
