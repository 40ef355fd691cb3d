use super::Skip::*;
use super::*;
use serde_json::{Value, json};

type Labels = &'static [(&'static str, &'static str)];

const ENABLED: (&str, &str) = ("weft.mesh/inject", "enabled");

fn namespace(labels: &[(&str, &str)]) -> Namespace {
    let labels = labels
        .iter()
        .map(|(k, v)| ((*k).into(), (*v).into()))
        .collect();
    Namespace {
        name: "shop".into(),
        labels,
    }
}

fn pod(metadata: &Value, spec: &Value) -> Pod {
    serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
}

fn labelled(labels: &[(&str, &str)]) -> Pod {
    let labels: BTreeMap<_, _> = labels.iter().copied().collect();
    pod(
        &json!({ "labels": labels }),
        &json!({"containers": [{"name": "app"}]}),
    )
}

fn with(change: impl FnOnce(&mut SelectionSettings)) -> InjectionSettings {
    let mut settings = InjectionSettings::default();
    change(&mut settings.selection);
    settings
}

fn selector(key: &str, value: &str) -> LabelSelector {
    serde_json::from_value(json!({"matchLabels": {key: value}})).unwrap()
}

fn outcome(pod: &Pod, namespace: &Namespace, settings: &InjectionSettings) -> Option<Skip> {
    match decide(pod, namespace, settings).unwrap() {
        Decision::Inject => None,
        Decision::Skip(skip) => Some(skip),
    }
}

#[test]
#[rustfmt::skip]
fn labels_of_pod_and_namespace_decide() {
    let table: [(Labels, Labels, Option<Skip>); 15] = [
        // namespace                          pod                                       skip
        (&[],                                 &[],                                      Some(NotEnabled)),
        (&[ENABLED],                          &[],                                      None),
        (&[("istio-injection", "enabled")],   &[],                                      None),
        (&[],                                 &[("weft.mesh/inject", "true")],          None),
        (&[],                                 &[("sidecar.istio.io/inject", "true")],   None),
        (&[],                                 &[("weft.mesh/inject", "yes")],           None), // Istio takes YAML's words too
        (&[ENABLED],                          &[("weft.mesh/inject", "false")],         Some(PodOptedOut("weft.mesh/inject"))),
        (&[ENABLED],                          &[("sidecar.istio.io/inject", "false")],  Some(PodOptedOut("sidecar.istio.io/inject"))),
        (&[("weft.mesh/inject", "disabled")], &[],                                      Some(NamespaceDisabled("weft.mesh/inject"))),
        // Istio: if either label is off, the pod is not injected.
        (&[("weft.mesh/inject", "disabled")], &[("weft.mesh/inject", "true")],          Some(NamespaceDisabled("weft.mesh/inject"))),
        (&[("istio-injection", "disabled")],  &[("sidecar.istio.io/inject", "true")],   Some(NamespaceDisabled("istio-injection"))),
        // Ours counts more than Istio's.
        (&[ENABLED, ("istio-injection", "disabled")], &[],                              None),
        (&[],  &[("weft.mesh/inject", "true"), ("sidecar.istio.io/inject", "false")],   None),
        (&[ENABLED], &[("weft.mesh/inject", "false"), ("sidecar.istio.io/inject", "true")], Some(PodOptedOut("weft.mesh/inject"))),
        (&[("other", "enabled")],             &[],                                      Some(NotEnabled)),
    ];
    for (of_namespace, of_pod, expected) in table {
        let found = outcome(&labelled(of_pod), &namespace(of_namespace), &InjectionSettings::default());
        assert_eq!(found, expected, "namespace {of_namespace:?}, pod {of_pod:?}");
    }
}

#[test]
fn a_label_counts_more_than_an_annotation() {
    let metadata = json!({
        "labels": {"sidecar.istio.io/inject": "true"},
        "annotations": {"sidecar.istio.io/inject": "false"},
    });
    let pod = pod(&metadata, &json!({"containers": []}));
    assert_eq!(
        outcome(&pod, &namespace(&[]), &InjectionSettings::default()),
        None
    );
}

#[test]
#[rustfmt::skip]
fn settings_of_the_mesh_decide_where_the_pod_says_nothing() {
    let red = || selector("team", "red");
    let table: [(InjectionSettings, bool, Labels, Option<Skip>); 10] = [
        // settings                                            opted in  pod                    skip
        (with(|s| s.policy = InjectionPolicy::Disabled),            true,  &[],                 Some(PolicyDisabled)),
        (with(|s| s.policy = InjectionPolicy::Disabled),            true,  &[("weft.mesh/inject", "true")], None),
        (with(|s| s.never_inject = vec![red()]),                    true,  &[("team", "red")],  Some(NeverInject)),
        (with(|s| s.never_inject = vec![red()]),                    true,  &[("team", "red"), ("weft.mesh/inject", "true")], None),
        (with(|s| s.always_inject = vec![red()]),                   false, &[("team", "red")],  None),
        (with(|s| { s.always_inject = vec![red()]; s.never_inject = vec![red()]; }), false, &[("team", "red")], Some(NeverInject)),
        (with(|s| s.object_selector = Some(red())),                 true,  &[],                 Some(NotSelected)),
        (with(|s| s.object_selector = Some(red())),                 true,  &[("team", "red")],  None),
        (with(|s| s.namespace_selector = Some(selector("env", "prod"))), false, &[],            None),
        (with(|s| s.honor_istio_labels = false),                    false, &[("sidecar.istio.io/inject", "true")], Some(NotEnabled)),
    ];
    for (settings, opted_in, labels, expected) in table {
        let of_namespace: &[_] = if opted_in { &[ENABLED] } else { &[("env", "prod")] };
        let found = outcome(&labelled(labels), &namespace(of_namespace), &settings);
        assert_eq!(found, expected, "{:?}, pod {labels:?}", settings.selection);
    }
}

#[test]
#[rustfmt::skip]
fn some_pods_cannot_be_injected_whatever_they_say() {
    let wants = json!({"labels": {"weft.mesh/inject": "true"}});
    let foreign = |name: &str| json!({"containers": [{"name": "app"}, {"name": name, "image": "x"}]});
    let static_pod = json!({"annotations": {"kubernetes.io/config.mirror": "0"}});
    let other = json!({"annotations": {"weft.mesh/status": r#"{"mesh":"other-system"}"#}});
    let plain = json!({"containers": []});
    let table = [
        (&wants, json!({"hostNetwork": true, "containers": []}), Some(HostNetwork)),
        (&wants, json!({"os": {"name": "windows"}, "containers": []}), Some(Windows)),
        (&wants, foreign("istio-proxy"), Some(ForeignSidecar("istio-proxy".into()))),
        (&wants, foreign("linkerd-proxy"), Some(ForeignSidecar("linkerd-proxy".into()))),
        (&wants, json!({"initContainers": [{"name": "linkerd-proxy"}], "containers": []}), Some(ForeignSidecar("linkerd-proxy".into()))),
        (&wants, json!({"containers": [{"name": "istio-proxy", "image": "auto"}]}), None),
        (&static_pod, plain.clone(), Some(StaticPod)),
        (&other, plain, Some(OtherMesh("other-system".into()))),
    ];
    for (metadata, spec, expected) in table {
        let found = outcome(&pod(metadata, &spec), &namespace(&[ENABLED]), &InjectionSettings::default());
        assert_eq!(found, expected, "{metadata} {spec}");
    }
}

#[test]
fn namespaces_of_kubernetes_and_of_the_mesh_are_never_touched() {
    let settings = with(|s| s.excluded_namespaces = vec!["legacy".into()]);
    for name in [
        "kube-system",
        "kube-public",
        "kube-node-lease",
        "weft-system",
        "legacy",
    ] {
        let namespace = Namespace {
            name: name.into(),
            ..namespace(&[ENABLED])
        };
        let pod = labelled(&[("weft.mesh/inject", "true")]);
        let found = outcome(&pod, &namespace, &settings);
        assert_eq!(found, Some(ExcludedNamespace(name.into())));
    }
}

#[test]
fn a_word_that_means_nothing_is_refused_with_the_remedy() {
    let pod = labelled(&[("weft.mesh/inject", "maybe")]);
    let refused = decide(&pod, &namespace(&[ENABLED]), &InjectionSettings::default()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "weft.mesh/inject is \"maybe\"; set it to enabled or disabled on a namespace, true or false on a pod, or remove it"
    );
}

#[test]
#[rustfmt::skip]
fn the_application_may_not_run_as_the_proxys_user() {
    let table = [
        (json!({"containers": [{"name": "app", "securityContext": {"runAsUser": 1337}}]}), Err("ProxyUser")),
        (json!({"securityContext": {"runAsUser": 1337}, "containers": [{"name": "app"}]}), Err("ProxyUser")),
        (json!({"securityContext": {"runAsUser": 1337}, "containers": [{"name": "app", "securityContext": {"runAsUser": 1}}]}), Ok(())),
        // A way around capture that people use for init containers; it does no harm.
        (json!({"initContainers": [{"name": "i", "securityContext": {"runAsUser": 1337}}], "containers": [{"name": "app"}]}), Ok(())),
    ];
    for (spec, expected) in table {
        let found = decide(&pod(&json!({}), &spec), &namespace(&[ENABLED]), &InjectionSettings::default());
        assert_eq!(found.map(drop).map_err(|refused| refused.code()), expected, "{spec}");
    }
}
