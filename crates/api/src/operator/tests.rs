use super::*;
use serde_json::json;

/// Calls `visit` with every schema below `schema` and its path.
fn walk(path: &str, schema: &Value, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    let named = ["properties"]
        .iter()
        .filter_map(|key| schema[*key].as_object());
    for (name, below) in named.flatten() {
        walk(&format!("{path}.{name}"), below, visit);
    }
    for key in ["items", "additionalProperties"] {
        if schema[key].is_object() {
            walk(&format!("{path}[]"), &schema[key], visit);
        }
    }
}

fn spec_schema() -> Value {
    let crd = serde_json::to_value(MeshOperator::crd()).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

#[test]
fn no_default_of_the_schema_freezes_a_choice() {
    walk("", &spec_schema(), &mut |path, schema| {
        assert!(schema.get("default").is_none(), "{path} has a default");
    });
}

#[test]
fn every_text_and_list_of_the_spec_is_bounded_so_that_rules_stay_cheap() {
    walk(
        ".spec",
        &spec_schema()["properties"]["spec"],
        &mut |path, schema| {
            let bound = match schema["type"].as_str() {
                Some("string") if schema.get("enum").is_none() => "maxLength",
                Some("array") => "maxItems",
                _ => return,
            };
            assert!(
                schema.get(bound).is_some(),
                "{path} has no {bound}: {schema}"
            );
        },
    );
}

#[test]
fn every_rule_names_what_to_do() {
    let mut rules = 0;
    walk("", &spec_schema(), &mut |path, schema| {
        for rule in schema["x-kubernetes-validations"]
            .as_array()
            .into_iter()
            .flatten()
        {
            rules += 1;
            let message = rule["message"].as_str().unwrap_or_default();
            assert!(message.len() > 20, "{path}: {rule}");
        }
    });
    assert!(rules >= 23, "only {rules} rules reached the schema");
}

#[test]
fn the_definition_fits_into_a_client_side_apply() {
    let size = serde_json::to_vec(&MeshOperator::crd()).unwrap().len();
    assert!(size < 262_144, "{size} bytes");
}

#[test]
fn an_istio_operator_with_another_kind_is_read_in_full() {
    let text = "
apiVersion: weft.mesh/v1alpha1
kind: MeshOperator
metadata: {name: seed, namespace: istio-system}
spec:
  profile: demo
  components:
    pilot: {k8s: {resources: {requests: {cpu: 500m, memory: 2048Mi}}}}
    ingressGateways:
    - name: istio-ingressgateway
      enabled: true
      k8s: {resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {cpu: 2000m, memory: 1024Mi}}}
    base: {enabled: true}
  values:
    global: {proxy: {resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {cpu: 2000m, memory: 1024Mi}}}}
    pilot: {traceSampling: 1.0}
";
    let mesh: MeshOperator = serde_saphyr::from_str(text).unwrap();
    let components = mesh.spec.components.unwrap();
    let pilot = components.pilot.unwrap().k8s.unwrap().resources.unwrap();
    assert_eq!(quantity(&pilot.requests["memory"]).0, "2048Mi");
    assert_eq!(components.ingress_gateways[0].name, "istio-ingressgateway");
    assert_eq!(components.other["base"], json!({"enabled": true}));
    assert_eq!(mesh.spec.values["pilot"], json!({"traceSampling": 1.0}));
}

#[test]
fn what_was_not_written_is_not_written_back() {
    let spec: MeshOperatorSpec = serde_json::from_value(json!({"injection": {}})).unwrap();
    assert_eq!(
        serde_json::to_value(spec).unwrap(),
        json!({"injection": {}})
    );
}
