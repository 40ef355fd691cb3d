//! The webhook over real TLS on a real socket: good reviews, bad ones, a certificate that changes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod server;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use server::Server;

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "labels": {"weft.mesh/inject": "true"}},
        "spec": {"containers": [{"name": "web", "image": "web", "fieldOfTomorrow": 1}]},
    })
}

fn review(pod: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "u-1", "operation": "CREATE", "namespace": "shop",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "object": pod,
        },
    })
}

fn text(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

#[tokio::test]
async fn a_review_is_answered_with_a_patch_for_its_uid() {
    let server = Server::start().await;
    let (status, answer) = server.post("/inject", text(&review(&pod()))).await;
    assert_eq!(status, 200);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["kind"], "AdmissionReview");
    let response = &answer["response"];
    assert_eq!(
        (&response["uid"], &response["allowed"]),
        (&json!("u-1"), &json!(true))
    );
    assert_eq!(response["patchType"], "JSONPatch");
    let patch = STANDARD
        .decode(response["patch"].as_str().unwrap())
        .unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
    let mut injected = pod();
    json_patch::patch(&mut injected, &patch).unwrap();
    assert_eq!(injected["spec"]["initContainers"][1]["name"], "weft-proxy");
    assert_eq!(injected["spec"]["containers"][0]["fieldOfTomorrow"], 1);
    let metrics = server.get("/metrics").await.1;
    assert!(
        metrics.contains("weft_injection_total{result=\"injected\",reason=\"Enabled\"} 1"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_refused_pod_tells_its_author_what_to_do() {
    let server = Server::start().await;
    let mut pod = pod();
    pod["metadata"]["annotations"] = json!({"sidecar.istio.io/proxyCPU": "lots"});
    let (status, answer) = server.post("/inject", text(&review(&pod))).await;
    assert_eq!(status, 200);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["response"]["allowed"], false);
    assert_eq!(
        answer["response"]["status"]["message"],
        "weft: sidecar.istio.io/proxyCPU is \"lots\"; set it to a quantity such as 100m or 64Mi, or remove it"
    );
}

#[tokio::test]
async fn a_skipped_pod_says_why() {
    let server = Server::start().await;
    let mut pod = pod();
    pod["spec"]["hostNetwork"] = json!(true);
    let answer = server.post("/inject", text(&review(&pod))).await.1;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let response = &answer["response"];
    assert_eq!(response["allowed"], true);
    assert!(
        response["warnings"][0]
            .as_str()
            .unwrap()
            .contains("host's network")
    );
    assert_eq!(response["auditAnnotations"]["reason"], "HostNetwork");
}

#[tokio::test]
async fn a_malformed_review_is_refused_and_harms_nothing() {
    let server = Server::start().await;
    let change = |key: &str, value: Value| {
        let mut review = review(&pod());
        review[key] = value;
        text(&review)
    };
    let table = [
        (Vec::new(), 400),
        (b"not json".to_vec(), 400),
        (b"[]".to_vec(), 400),
        (b"\xff\xfe".to_vec(), 400),
        (change("request", Value::Null), 400),
        (change("request", json!({"operation": "CREATE"})), 400),
        (change("apiVersion", json!("admission.k8s.io/v1beta1")), 400),
        (vec![b' '; 4 * 1024 * 1024], 413),
        (
            format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes(),
            400,
        ),
    ];
    for (index, (body, expected)) in table.into_iter().enumerate() {
        assert_eq!(
            server.post("/inject", body).await.0,
            expected,
            "row {index}"
        );
    }
    assert_eq!(server.post("/inject", text(&review(&pod()))).await.0, 200);
}

#[tokio::test]
async fn an_object_that_is_no_pod_is_denied() {
    let server = Server::start().await;
    for object in [
        Value::Null,
        json!([]),
        json!({}),
        json!({"spec": 1}),
        json!({"spec": {"containers": [1]}}),
    ] {
        let answer = server.post("/inject", text(&review(&object))).await.1;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["response"]["allowed"], false, "{object}");
        let message = answer["response"]["status"]["message"].as_str().unwrap();
        assert!(
            message.starts_with("weft: the object is not a Pod"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn what_is_not_the_creation_of_a_pod_passes_unchanged() {
    let server = Server::start().await;
    for (field, value) in [
        ("operation", json!("DELETE")),
        ("subResource", json!("ephemeralcontainers")),
    ] {
        let mut review = review(&Value::Null);
        review["request"][field] = value;
        let answer = server.post("/inject", text(&review)).await.1;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["response"], json!({"uid": "u-1", "allowed": true}));
    }
}

#[tokio::test]
async fn a_new_certificate_is_used_without_a_restart_and_a_broken_one_is_not() {
    let mut server = Server::start().await;
    let old = server.roots.clone();
    server.replace_certificate();
    assert_eq!(server.get("/readyz").await.0, 200);
    let new = std::mem::replace(&mut server.roots, old);
    assert!(
        server.connect().await.is_err(),
        "the old certificate is still served"
    );
    server.roots = new;
    let other = rcgen::generate_simple_self_signed(["other".to_owned()]).unwrap();
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for (chain, key) in [("", ""), ("broken", "broken"), (&other.cert.pem(), &key)] {
        assert!(
            server
                .certificate
                .replace(chain.as_bytes(), key.as_bytes())
                .is_err(),
            "{chain}"
        );
    }
    assert_eq!(server.get("/readyz").await.0, 200);
}

#[tokio::test]
async fn an_injector_without_settings_is_not_ready_and_answers_nothing() {
    let server = Server::without_settings().await;
    assert_eq!(server.get("/readyz").await.0, 503);
    assert_eq!(server.get("/healthz").await.0, 200);
    assert_eq!(server.post("/inject", text(&review(&pod()))).await.0, 503);
}

#[tokio::test]
async fn a_peer_that_never_shakes_hands_holds_up_nobody() {
    let server = Server::start().await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(
            tokio::net::TcpStream::connect(server.address)
                .await
                .unwrap(),
        );
    }
    assert_eq!(server.get("/readyz").await.0, 200);
    drop(silent);
}
