//! As much of an API server as the operator asks: objects by path, server-side apply as a merge.

use http::{Method, Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

/// Objects by path, and the writes that came.
#[derive(Debug, Default)]
pub(crate) struct Server {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Value>,
    writes: Vec<String>,
    /// What ends the path of writes that are refused.
    refused: Option<String>,
}

impl Server {
    /// A server that holds `objects`.
    pub(crate) fn with<const N: usize>(objects: [(&str, Value); N]) -> Arc<Self> {
        let server = Self::default();
        for (path, object) in objects {
            let mut state = server.state.lock().unwrap();
            state.objects.insert(path.to_owned(), object);
        }
        Arc::new(server)
    }

    /// A client of it.
    pub(crate) fn client(self: &Arc<Self>) -> kube::Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap();
                let query = head.uri.query().unwrap_or_default().to_owned();
                let (status, answer) =
                    server.answer(&head.method, (head.uri.path(), &query), &body);
                let body = Body::from(answer.to_string().into_bytes());
                let response = Response::builder().status(status).body(body);
                Ok::<_, Infallible>(response.unwrap())
            }
        });
        kube::Client::new(service, "default")
    }

    /// The object at `path`.
    pub(crate) fn object(&self, path: &str) -> Value {
        self.state.lock().unwrap().objects[path].clone()
    }

    /// Somebody else changes the object at `path`.
    pub(crate) fn change(&self, path: &str, change: &Value) {
        let mut state = self.state.lock().unwrap();
        merge(state.objects.get_mut(path).unwrap(), change);
    }

    /// Refuses writes to what has this name from now on.
    pub(crate) fn refuse(&self, name: &str) {
        self.state.lock().unwrap().refused = Some(format!("/{name}"));
    }

    /// The writes since the last call, but dry runs.
    pub(crate) fn writes(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().writes)
    }

    fn answer(&self, method: &Method, (path, query): (&str, &str), body: &[u8]) -> (u16, Value) {
        let mut state = self.state.lock().unwrap();
        if method != Method::GET && !query.contains("dryRun") {
            state.writes.push(format!("{method} {path}"));
        }
        match method.as_str() {
            "GET" => state.read(path, query),
            _ if matches!(&state.refused, Some(name) if path.ends_with(name)) => {
                (403, failure("Forbidden", 403))
            }
            "PATCH" => (200, state.patch(path, query, body)),
            _ => (201, serde_json::from_slice(body).unwrap()),
        }
    }
}

impl State {
    fn read(&self, path: &str, query: &str) -> (u16, Value) {
        if let Some(object) = self.objects.get(path) {
            return (200, object.clone());
        }
        let in_it =
            |(at, object): (&String, &Value)| (collection(at) == path).then(|| object.clone());
        let named = |object: &Value| {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            !query.contains("fieldSelector=metadata.name") || query.contains(&format!("%3D{name}&"))
        };
        let items: Vec<Value> = self
            .objects
            .iter()
            .filter_map(in_it)
            .filter(named)
            .collect();
        let last = path.rsplit('/').next().unwrap();
        let all = ["namespaces", "pods", "meshoperators"].contains(&last);
        if !all && !query.contains("labelSelector") && !query.contains("fieldSelector") {
            return (404, failure("NotFound", 404));
        }
        let list = json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items});
        (200, list)
    }

    fn patch(&mut self, path: &str, query: &str, body: &[u8]) -> Value {
        let wanted: Value = serde_json::from_slice(body).unwrap();
        let object = path.trim_end_matches("/status");
        let of_status = object != path;
        let path = object;
        let mut object = self.objects.get(path).cloned().unwrap_or(json!({}));
        if of_status {
            // One manager has all of it: what it leaves out goes.
            object["status"] = Value::Null;
        }
        merge(&mut object, &wanted);
        if object["kind"] == "Deployment" {
            // Its pods start at once.
            let pods = object["spec"]["replicas"].clone();
            object["status"] =
                json!({"replicas": pods, "updatedReplicas": pods, "availableReplicas": pods});
        }
        if object["kind"] == "CustomResourceDefinition" {
            object["status"] = json!({"conditions": [{"type": "Established", "status": "True"}]});
        }
        if !query.contains("dryRun") {
            self.objects.insert(path.to_owned(), object.clone());
        }
        object
    }
}

fn failure(reason: &str, code: u16) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason,
        "message": reason, "code": code})
}

/// The path of the list, over all namespaces, that has the object at `path`.
fn collection(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    let (_, parent) = parts.split_last().unwrap();
    match parent.iter().position(|part| *part == "namespaces") {
        Some(at) if at + 2 < parts.len() - 1 => [&parent[..at], &parent[at + 2..]].concat(),
        _ => parent.to_vec(),
    }
    .join("/")
}

fn merge(place: &mut Value, wanted: &Value) {
    match (place, wanted) {
        (Value::Object(place), Value::Object(wanted)) => {
            for (name, value) in wanted {
                merge(place.entry(name).or_insert(Value::Null), value);
            }
        }
        (place, wanted) => *place = wanted.clone(),
    }
}
