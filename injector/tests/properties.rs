//! What holds for every pod: fields that we have never heard of survive, and injecting twice is
//! injecting once, also when other webhooks change the pod in between.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use weft_api::injection::InjectionSettings;
use weft_injector::{Namespace, Subject, Verdict, review};

fn inject(pod: &Value) -> Value {
    let labels = BTreeMap::from([("weft.mesh/inject".to_owned(), "enabled".to_owned())]);
    let namespace = Namespace {
        name: "shop".into(),
        labels,
    };
    let verdict = review(
        &Subject::new(pod.clone()).unwrap(),
        &namespace,
        &InjectionSettings::default(),
    );
    let mut injected = pod.clone();
    match verdict {
        Verdict::Injected { patch, .. } => json_patch::patch(&mut injected, &patch).unwrap(),
        other => panic!("{pod} was not injected: {other:?}"),
    }
    injected
}

/// JSON that no version of Kubernetes knows, under keys that it does not have.
fn unknown() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("future[A-Z]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("future[A-Z]", value, 0..3)
        .prop_map(|map| map.into_iter().collect())
}

fn probe() -> impl Strategy<Value = Value> {
    let handler = prop_oneof![
        "[ -~]{0,20}".prop_map(|path| json!({"httpGet": {"path": path, "port": "main"}})),
        (1u16..).prop_map(|port| json!({"tcpSocket": {"port": port}})),
        (1u16..).prop_map(|port| json!({"grpc": {"port": port}})),
        Just(json!({"exec": {"command": ["true"]}})),
        Just(json!({"httpGet": {"path": "/", "port": "nowhere"}})),
    ];
    (handler, unknown()).prop_map(|(mut probe, unknown)| {
        probe.as_object_mut().unwrap().extend(unknown);
        probe
    })
}

fn container(name: &'static str) -> impl Strategy<Value = Value> {
    (unknown(), prop::option::of(probe()), prop::option::of(probe())).prop_map(
        move |(unknown, ready, live)| {
            let mut container = json!({"name": name, "image": "x", "ports": [{"name": "main", "containerPort": 80}]});
            let fields = container.as_object_mut().unwrap();
            fields.extend(unknown);
            fields.extend(ready.map(|probe| ("readinessProbe".to_owned(), probe)));
            fields.extend(live.map(|probe| ("livenessProbe".to_owned(), probe)));
            container
        },
    )
}

fn pod() -> impl Strategy<Value = Value> {
    let annotations = prop::collection::btree_map(
        prop_oneof![
            Just("prometheus.io/scrape"),
            Just("prometheus.io/port"),
            Just("prometheus.io/path"),
            Just("team")
        ],
        "[ -~]{0,12}",
        0..4,
    );
    let classic = any::<bool>();
    (
        unknown(),
        unknown(),
        container("a"),
        container("b"),
        prop::option::of(container("c")),
        annotations,
        classic,
    )
        .prop_map(|(top, spec, a, b, init, annotations, classic)| {
            let mut pod = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "web", "annotations": annotations, "creationTimestamp": null},
                "spec": {"containers": [a, b], "volumes": [{"name": "v", "futureSource": {}}]},
            });
            if classic {
                pod["metadata"]["annotations"]["weft.mesh/native-sidecar"] = json!("false");
            }
            if let Some(init) = init {
                pod["spec"]["initContainers"] = json!([init]);
            }
            pod.as_object_mut().unwrap().extend(top);
            pod["spec"].as_object_mut().unwrap().extend(spec);
            pod
        })
}

/// Everything of `before` is in `after`; handlers of probes and scrape annotations may be others.
fn assert_contains(after: &Value, before: &Value, path: &str) {
    let redirected = ["/httpGet", "/tcpSocket", "/grpc"]
        .iter()
        .any(|end| path.ends_with(end))
        || path.contains("prometheus.io");
    match (after, before) {
        _ if redirected => {}
        (Value::Object(after), Value::Object(before)) => {
            for (key, value) in before {
                let found = after.get(key).unwrap_or(&Value::Null);
                assert_contains(found, value, &format!("{path}/{key}"));
            }
        }
        (Value::Array(after), Value::Array(before)) => {
            for item in before {
                let name = item.get("name");
                let same = |other: &&Value| name.is_some() && other.get("name") == name;
                match after.iter().find(same) {
                    Some(found) => assert_contains(found, item, &format!("{path}/{name:?}")),
                    None => assert!(after.contains(item), "{path} lost {item}"),
                }
            }
        }
        (after, before) => assert_eq!(after, before, "{path}"),
    }
}

/// What other webhooks do between two calls of ours.
fn meddle(pod: &mut Value, how: usize) {
    let spec = pod["spec"].as_object_mut().unwrap();
    let other =
        json!({"name": "other", "image": "x", "readinessProbe": {"tcpSocket": {"port": 7}}});
    match how {
        0 => spec["containers"].as_array_mut().unwrap().insert(0, other),
        1 => spec["containers"].as_array_mut().unwrap().push(other),
        2 => spec["initContainers"]
            .as_array_mut()
            .unwrap()
            .insert(0, other),
        3 => spec["initContainers"].as_array_mut().unwrap().push(other),
        4 => spec["volumes"]
            .as_array_mut()
            .unwrap()
            .insert(0, json!({"name": "other"})),
        5 => drop(spec.insert("futureField".into(), json!(1))),
        6 => spec["initContainers"].as_array_mut().unwrap().reverse(),
        _ => spec["containers"].as_array_mut().unwrap().reverse(),
    }
}

proptest! {
    #[test]
    fn fields_that_we_do_not_know_survive(pod in pod()) {
        assert_contains(&inject(&pod), &pod, "");
    }

    #[test]
    fn injecting_twice_is_injecting_once(pod in pod()) {
        let once = inject(&pod);
        prop_assert_eq!(inject(&once), once);
    }

    #[test]
    fn a_change_in_between_is_as_if_it_had_been_there_before(pod in pod(), how in 0usize..8) {
        let mut once = inject(&pod);
        meddle(&mut once, how);
        let again = inject(&once);
        prop_assert_eq!(inject(&again), again.clone());
        let init = again["spec"]["initContainers"].as_array().unwrap();
        let classic = pod["metadata"]["annotations"].get("weft.mesh/native-sidecar").is_some();
        let place = if classic { init.len() - 1 } else { 0 };
        prop_assert_eq!(&init[place]["name"], "weft-init");
    }
}
