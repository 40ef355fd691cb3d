use crate::answer::{Answer, Output, table};
use crate::check::{Level, checks};
use crate::cluster::Facts;
use crate::{Command, check, inject, status, why};
use clap::{CommandFactory, Parser};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use weft_api::injection::InjectionSettings;
use weft_injector::{Namespace, Subject};

fn read<K: DeserializeOwned>(text: &str) -> K {
    serde_saphyr::from_str(text).unwrap()
}

/// A mesh that is well, with one namespace of two injected pods.
fn healthy() -> Facts {
    let program = |name: &str| {
        read(&format!(
            "{{metadata: {{name: {name}, namespace: weft-system}},
              spec: {{replicas: 2, selector: {{}}, template: {{spec: {{containers: [{{name: a, image: i}}]}}}}}},
              status: {{readyReplicas: 2}}}}"
        ))
    };
    let pod = |name: &str| {
        read(&format!(
            "{{metadata: {{name: {name}, namespace: shop, labels: {{weft.mesh/injected: 'true'}}}}}}"
        ))
    };
    let mesh = read(
        "{apiVersion: weft.mesh/v1alpha1, kind: MeshOperator, metadata: {name: mesh, generation: 2}, spec: {},
          status: {observedGeneration: 2, phase: Ready, version: {stable: 0.1.0, operator: 0.1.0}, conditions: [
            {type: Ready, status: 'True', reason: Healthy, message: well, lastTransitionTime: '2026-01-01T00:00:00Z'},
            {type: Progressing, status: 'False', reason: Settled, message: '', lastTransitionTime: '2026-01-01T00:00:00Z'}]}}",
    );
    Facts {
        kubernetes: (1, 35),
        meshes: Some(vec![mesh]),
        programs: vec![program("weft-control"), program("weft-operator")],
        webhooks: vec!["weft-injector".to_owned()],
        namespaces: vec![read(
            "{metadata: {name: shop, labels: {weft.mesh/inject: enabled}}}",
        )],
        pods: vec![pod("a"), pod("b")],
    }
}

/// What is not well in `facts`: level and subject.
fn complaints(facts: &Facts) -> Vec<(Level, String)> {
    let all = checks(facts).into_iter();
    all.filter(|check| check.level > Level::Ok)
        .map(|check| (check.level, check.about))
        .collect()
}

#[test]
fn a_mesh_that_is_well_has_no_complaints() {
    let facts = healthy();
    assert_eq!(complaints(&facts), []);
    assert!(check::answer(&facts).good && status::answer(&facts).good);
}

#[test]
fn every_fault_is_found_and_errors_alone_make_the_answer_no() {
    type Break = fn(&mut Facts);
    let table: [(Break, Level, &str); 8] = [
        (|f| f.kubernetes = (1, 32), Level::Error, "Kubernetes"),
        (|f| f.meshes = None, Level::Error, "MeshOperator"),
        (|f| f.meshes = Some(vec![]), Level::Error, "MeshOperator"),
        (|f| f.webhooks.clear(), Level::Error, "webhook"),
        (
            |f| f.programs[0].status = None,
            Level::Error,
            "Deployment weft-control",
        ),
        (
            |f| f.pods[0].metadata.labels = None,
            Level::Warning,
            "namespace shop",
        ),
        (
            |f| f.meshes.as_mut().unwrap()[0].metadata.generation = Some(3),
            Level::Warning,
            "mesh",
        ),
        (
            |f| {
                let status = f.meshes.as_mut().unwrap()[0].status.as_mut().unwrap();
                status.conditions[0].status = "False".to_owned();
            },
            Level::Error,
            "mesh Ready",
        ),
    ];
    for (breaks, level, about) in table {
        let mut facts = healthy();
        breaks(&mut facts);
        assert_eq!(complaints(&facts), [(level, about.to_owned())]);
        assert_eq!(check::answer(&facts).good, level < Level::Error, "{about}");
    }
}

#[test]
fn the_status_shows_versions_programs_and_sidecars() {
    let text = status::answer(&healthy()).render(Output::Table);
    for part in [
        "mesh  0.1.0    Ready",
        "weft-system/weft-control",
        "2/2",
        "shop       2",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    let mut none = healthy();
    none.meshes = Some(vec![]);
    assert!(!status::answer(&none).good);
}

fn reason(pod: &str, namespace: &str) -> (bool, String) {
    let pod = Subject::new(read(pod)).unwrap();
    let namespace = Namespace {
        name: "shop".into(),
        labels: read::<BTreeMap<String, String>>(namespace),
    };
    let why = why::why(&pod, &namespace, &InjectionSettings::default());
    (why.sidecar, why.reason)
}

#[test]
fn a_pod_is_told_why_it_has_no_sidecar() {
    let spec = "spec: {containers: [{name: app, image: i}]}";
    let enabled = "{weft.mesh/inject: enabled}";
    let labelled = |rest: &str| format!("{{metadata: {{name: a, {rest}}}, {spec}}}");
    let table = [
        (labelled(""), "{}", false, "NotEnabled"),
        (labelled(""), enabled, false, "NotAsked"),
        (
            labelled("labels: {weft.mesh/inject: 'false'}"),
            enabled,
            false,
            "PodOptedOut",
        ),
        (
            labelled("labels: {weft.mesh/inject: perhaps}"),
            enabled,
            false,
            "BadValue",
        ),
        (
            labelled(
                "annotations: {weft.mesh/status: '{\"mesh\": \"weft-system\", \"revision\": \"default\"}'}",
            ),
            enabled,
            true,
            "Injected",
        ),
    ];
    for (pod, namespace, sidecar, expected) in table {
        let found = reason(&pod, namespace);
        assert_eq!(found, (sidecar, expected.to_owned()), "{pod}");
    }
}

const MANIFESTS: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart}
spec:
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec: {containers: [{name: app, image: i}]}
---
apiVersion: v1
kind: Service
metadata: {name: cart}
---
apiVersion: v1
kind: Pod
metadata: {name: out, labels: {weft.mesh/inject: 'false'}}
spec: {containers: [{name: app, image: i}]}
";

fn injected(text: &str) -> Answer {
    inject::answer(text, "shop", &InjectionSettings::default()).unwrap()
}

#[test]
fn manifests_get_the_sidecars_that_the_injector_would_add() {
    let answer = injected(MANIFESTS);
    assert!(answer.good);
    let names: Vec<&Value> = answer.value[0]["spec"]["template"]["spec"]["initContainers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|container| &container["name"])
        .collect();
    assert_eq!(names, ["weft-init", "weft-proxy"]);
    let metadata = &answer.value[0]["spec"]["template"]["metadata"];
    assert_eq!(metadata["ownerReferences"], Value::Null);
    assert_eq!(
        answer.value[1],
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart"}})
    );
    assert_eq!(answer.value[2]["spec"]["initContainers"], Value::Null);
    assert!(
        answer
            .notes
            .iter()
            .any(|note| note.starts_with("Pod out: skipped: PodOptedOut")),
        "{:?}",
        answer.notes
    );
}

#[test]
fn injected_manifests_are_manifests_that_can_be_injected_again() {
    let once = injected(MANIFESTS).render(Output::Table);
    assert_eq!(injected(&once).render(Output::Table), once);
}

#[test]
fn a_pod_that_would_be_refused_makes_the_answer_no() {
    let answer = injected(
        "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {securityContext: {runAsUser: 1337}, containers: [{name: app, image: i}]}}",
    );
    assert!(!answer.good);
    assert!(answer.notes[0].contains("ProxyUser"), "{:?}", answer.notes);
}

#[test]
fn an_answer_has_the_same_content_in_every_form() {
    let answer = Answer::new(true, "text".to_owned(), &json!({"a": [1]}));
    assert_eq!(answer.render(Output::Table), "text\n");
    let from_json: Value = serde_json::from_str(&answer.render(Output::Json)).unwrap();
    let from_yaml: Value = read(&answer.render(Output::Yaml));
    assert_eq!((&from_json, &from_yaml), (&answer.value, &answer.value));
}

#[test]
fn columns_are_as_wide_as_their_widest_cell() {
    let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
    let text = table(&["A", "LONG"], &[row(["wide", "x"]), row(["y", ""])]);
    assert_eq!(text, "A     LONG\nwide  x\ny\n");
}

#[test]
fn the_command_line_is_consistent() {
    Command::command().debug_assert();
    let parsed = Command::try_parse_from(["weftctl", "why", "pod/a", "-n", "shop", "-o", "json"]);
    assert_eq!(parsed.unwrap().output, Output::Json);
}
