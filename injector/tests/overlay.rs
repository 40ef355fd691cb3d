//! What a pod's own `weft-proxy` container may and may not change.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use weft_api::injection::InjectionSettings;
use weft_injector::{Namespace, Subject, Verdict, review};

fn judge(mut container: Value) -> Verdict {
    container["name"] = json!("weft-proxy");
    let pod = json!({
        "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "web", "image": "web"}, container]},
    });
    let labels = BTreeMap::from([("weft.mesh/inject".to_owned(), "enabled".to_owned())]);
    let namespace = Namespace {
        name: "shop".into(),
        labels,
    };
    review(
        &Subject::new(pod).unwrap(),
        &namespace,
        &InjectionSettings::default(),
    )
}

#[test]
#[rustfmt::skip]
fn nothing_can_make_the_proxy_another_program_user_or_identity() {
    let table = [
        (json!({"image": "evil"}), "image"),
        (json!({"image": "auto", "command": ["/bin/sh"]}), "command"),
        (json!({"image": "auto", "args": ["version"]}), "args"),
        (json!({"image": "auto", "securityContext": {"privileged": true}}), "securityContext"),
        (json!({"image": "auto", "env": [{"name": "LD_PRELOAD", "value": "/x.so"}]}), "env LD_PRELOAD"),
        (json!({"image": "auto", "env": [{"name": "WEFT_TRUST_DOMAIN", "value": "x"}]}), "env WEFT_TRUST_DOMAIN"),
        (json!({"image": "auto", "env": [{"name": "SERVICE_ACCOUNT", "value": "admin"}]}), "env SERVICE_ACCOUNT"),
        (json!({"image": "auto", "volumeMounts": [{"name": "x", "mountPath": "/var/run"}]}), "volumeMounts /var/run"),
        (json!({"image": "auto", "volumeMounts": [{"name": "x", "mountPath": "/var/lib/weft/"}]}), "volumeMounts /var/lib/weft"),
        (json!({"image": "auto", "volumeMounts": [{"name": "x", "mountPath": "/"}]}), "volumeMounts /,"),
    ];
    for (container, field) in table {
        match judge(container.clone()) {
            Verdict::Denied(refused) => {
                let text = refused.to_string();
                assert!(text.starts_with(&format!("container weft-proxy sets {field}")), "{text}");
            }
            other => panic!("{container} was let through: {other:?}"),
        }
    }
}

#[test]
fn what_the_api_server_adds_to_a_container_is_let_through() {
    let verdict = judge(json!({
        "image": "auto", "resources": {}, "imagePullPolicy": "Always", "securityContext": {},
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
    }));
    assert_eq!(verdict.labels(), ("injected", "Enabled"), "{verdict:?}");
}
