//! What a mesh looks like in Kubernetes: `tests/golden` holds every object of a few specs.
//!
//! A difference here restarts programs of running meshes: objects of a released version must never
//! change. `WEFT_BLESS=1 cargo test -p weft-operator --test render` writes the files anew.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use serde_json::Value;
use std::path::PathBuf;
use weft_api::operator::MeshOperator;
use weft_operator::object::Object;
use weft_operator::{render, resolve};

fn mesh(spec: &str) -> resolve::Mesh {
    let text = format!(
        "{{apiVersion: weft.mesh/v1alpha1, kind: MeshOperator, metadata: {{name: mesh}}, spec: {spec}}}"
    );
    let object: MeshOperator = serde_saphyr::from_str(&text).unwrap();
    resolve::resolve(&object, "registry.example/weft/weft-operator:0.1.0")
        .unwrap()
        .mesh
}

/// All objects of `mesh` as one YAML text.
fn yaml(mesh: &resolve::Mesh) -> String {
    let mut objects = render::objects(mesh).unwrap();
    objects.push(Object::new(&render::webhook(mesh, "BUNDLE\n")));
    let text = |object: &Object| serde_saphyr::to_string(&object.value).unwrap();
    objects.iter().map(text).collect::<Vec<_>>().join("---\n")
}

#[expect(clippy::disallowed_methods, reason = "a switch of this test alone")]
fn same_as_golden(name: &str, found: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var("WEFT_BLESS").is_ok() {
        std::fs::write(&path, found).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == found,
        "{} differs from what is rendered:\n{found}",
        path.display()
    );
}

#[test]
fn an_empty_spec_renders_as_it_always_did() {
    same_as_golden("default.yaml", &yaml(&mesh("{}")));
}

#[test]
fn an_istio_operator_renders_as_it_always_did() {
    let spec = "{profile: demo,
      components: {pilot: {k8s: {resources: {requests: {cpu: 500m, memory: 2048Mi}}}}},
      values: {global: {proxy: {resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {cpu: 2000m, memory: 1024Mi}}}}}}";
    same_as_golden("istiooperator.yaml", &yaml(&mesh(spec)));
}

#[test]
fn settings_of_kubernetes_reach_the_pods() {
    let spec = "{components: {pilot: {k8s: {
      nodeSelector: {disk: ssd}, tolerations: [{key: mesh, operator: Exists}], priorityClassName: high,
      podAnnotations: {team: mesh}, env: [{name: WEFT_LOG, value: debug}],
      podDisruptionBudget: {minAvailable: 1}, strategy: {type: Recreate},
      service: {type: LoadBalancer, selector: {app: other}, ports: [{name: extra, port: 8080}, {name: mine, port: 15012}]}}}}}";
    same_as_golden("customised.yaml", &yaml(&mesh(spec)));
}

#[test]
fn a_setting_that_kubernetes_would_not_understand_is_named() {
    let spec = "{components: {pilot: {k8s: {affinity: {nodeAffinity: nowhere}}}}}";
    let unreadable = render::objects(&mesh(spec)).unwrap_err().to_string();
    assert!(
        unreadable.starts_with("spec.components.pilot.k8s is not"),
        "{unreadable}"
    );
}

#[test]
fn the_mesh_never_asks_for_its_own_injector() {
    for webhook in render::webhook(&mesh("{namespace: mesh-here}"), "")
        .webhooks
        .unwrap()
    {
        let selector = webhook
            .namespace_selector
            .unwrap()
            .match_expressions
            .unwrap();
        let excluded = selector
            .iter()
            .find(|e| e.key == "kubernetes.io/metadata.name")
            .unwrap();
        let names = excluded.values.clone().unwrap();
        for system in ["kube-system", "kube-node-lease", "mesh-here"] {
            assert!(
                names.iter().any(|name| name == system),
                "{}: {system}",
                webhook.name
            );
        }
    }
}

#[test]
fn no_role_of_the_mesh_can_write_secrets_or_delete_anything() {
    for object in render::objects(&mesh("{}")).unwrap() {
        for rule in object.value.data["rules"].as_array().into_iter().flatten() {
            let verbs = rule["verbs"].to_string();
            assert!(
                !verbs.contains("delete") && !verbs.contains('*'),
                "{}: {rule}",
                object.key()
            );
            let secrets = rule["resources"].to_string().contains("secrets");
            assert!(
                !secrets || rule.get("resourceNames").is_some(),
                "{}: {rule}",
                object.key()
            );
        }
    }
}

/// The objects of the gateways of `spec`, where Gateways name these Secrets.
fn gateways(spec: &str, secrets: &[&str]) -> Vec<Object> {
    let secrets = secrets.iter().map(|name| (*name).to_owned()).collect();
    render::gateways(&mesh(spec), &secrets).unwrap()
}

fn one<'a>(objects: &'a [Object], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object.key().kind == kind);
    let one = &found.next().unwrap().value.data;
    assert!(found.next().is_none(), "several of kind {kind}");
    one
}

#[test]
fn gateways_render_as_they_always_did() {
    let spec = "{profile: demo, components: {
      ingressGateways: [{name: istio-ingressgateway, enabled: true, k8s: {resources: {
        requests: {cpu: 100m, memory: 128Mi}, limits: {cpu: 2000m, memory: 1024Mi}}}}],
      egressGateways: [{name: egress, namespace: edge, label: {istio: egress}, k8s: {
        hpaSpec: {maxReplicas: 8, scaleTargetRef: {kind: Deployment, name: other}}, podDisruptionBudget: {minAvailable: 1},
        service: {type: NodePort, ports: [{name: tcp, port: 9000, targetPort: 9000}]},
        serviceAnnotations: {team: edge}, volumes: [{name: more, emptyDir: {}}], volumeMounts: [{name: more, mountPath: /more}]}},
        {name: off, enabled: false}]}}";
    let objects = gateways(spec, &["shop-cert", "shop-cert-cacert", "weft-ca-root"]);
    let text = |object: &Object| serde_saphyr::to_string(&object.value).unwrap();
    let texts: Vec<_> = objects.iter().map(text).collect();
    same_as_golden("gateways.yaml", &texts.join("---\n"));
}

#[test]
fn a_gateway_gets_exactly_the_resources_that_an_istio_operator_asks_for() {
    let spec = "{components: {ingressGateways: [{name: istio-ingressgateway, k8s: {resources: {
      requests: {cpu: 100m, memory: 128Mi}, limits: {cpu: 2000m, memory: 1024Mi}}}}]}}";
    let objects = gateways(spec, &[]);
    let pod = &one(&objects, "Deployment")["spec"]["template"]["spec"];
    let asked = serde_json::json!({
        "requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "2000m", "memory": "1024Mi"},
    });
    assert_eq!(pod["containers"][0]["resources"], asked);
    assert_eq!(pod.get("initContainers"), None, "nothing is captured");
    let rights = &pod["containers"][0]["securityContext"]["capabilities"];
    assert_eq!(*rights, serde_json::json!({"drop": ["ALL"]}));
}

#[test]
fn the_control_plane_may_read_the_secrets_of_gateways_and_no_others() {
    let spec = "{components: {ingressGateways: [{name: public}]}}";
    let objects = gateways(
        spec,
        &["shop", "weft-ca", "weft-ca-root", "weft-injector-tls"],
    );
    let rule = &one(&objects, "Role")["rules"][0];
    assert_eq!(rule["resourceNames"], serde_json::json!(["shop"]));
    let none = gateways(spec, &["weft-ca-root"]);
    assert!(
        none.iter().all(|object| object.key().kind != "Role"),
        "no name would be all names"
    );
}

#[test]
fn gateways_of_one_name_are_refused_by_it() {
    let text = "{apiVersion: weft.mesh/v1alpha1, kind: MeshOperator, metadata: {name: mesh}, spec: {components: {
      ingressGateways: [{name: edge}], egressGateways: [{name: edge}]}}}";
    let object: MeshOperator = serde_saphyr::from_str(text).unwrap();
    let refused = resolve::resolve(&object, "registry.example/weft-operator:0.1.0").unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("gateway edge of namespace weft-system"),
        "{refused}"
    );
}
