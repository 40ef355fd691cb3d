use super::*;
use weft_api::settings::{MtlsMode, OutboundPolicy};

const IMAGE: &str = "registry.example/weft/weft-operator:1";

fn resolved(spec: &str) -> Resolved {
    resolve(&mesh(spec), IMAGE).unwrap()
}

fn mesh(spec: &str) -> MeshOperator {
    let text = format!("metadata: {{name: mesh}}\nspec: {spec}");
    let mut value: Value = serde_saphyr::from_str(&text).unwrap();
    value["apiVersion"] = "weft.mesh/v1alpha1".into();
    value["kind"] = "MeshOperator".into();
    serde_json::from_value(value).unwrap()
}

#[test]
fn an_empty_spec_is_a_whole_mesh() {
    let Resolved {
        mesh,
        unknown_keys,
        unsupported,
    } = resolved("{}");
    assert_eq!((unknown_keys, unsupported), (vec![], vec![]));
    assert_eq!(mesh.namespace, "weft-system");
    assert_eq!(mesh.version, "0.1.0");
    assert_eq!(mesh.revision, "0-1-0");
    assert_eq!(mesh.control.image, "registry.example/weft/weft-control:1");
    assert_eq!(
        mesh.injection.proxy.image,
        "registry.example/weft/weft-proxy:1"
    );
    assert_eq!((mesh.control.replicas, mesh.injector.replicas), (2, 2));
    assert_eq!(mesh.settings.mtls, MtlsMode::Permissive);
    assert_eq!(mesh.settings.access_log, None);
}

#[test]
fn istio_values_fill_what_no_field_sets() {
    // Row S35 of the seed: IstioOperator with apiVersion and kind changed.
    let found = resolved(
        "
  profile: demo
  components:
    pilot: {k8s: {resources: {requests: {cpu: 500m, memory: 2048Mi}}}}
    ingressGateways: [{name: istio-ingressgateway, enabled: true}]
  values:
    global: {proxy: {resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {cpu: 2000m, memory: 1024Mi}}}}
    pilot: {traceSampling: 1.0}
",
    );
    let proxy = found.mesh.injection.proxy.resources;
    assert_eq!(proxy.requests.unwrap()["memory"].0, "128Mi");
    assert_eq!(proxy.limits.unwrap()["cpu"].0, "2000m");
    assert!(
        (found.mesh.settings.tracing.sampling - 1.0).abs() < f64::EPSILON,
        "not demo's 100"
    );
    assert_eq!(found.mesh.control.replicas, 1, "demo");
    assert_eq!(found.unknown_keys, Vec::<String>::new());
    assert_eq!(found.unsupported, ["values.pilot.traceSampling"]);
}

#[test]
fn a_typed_field_wins_over_values_and_values_over_the_profile() {
    let found = resolved(
        "{profile: demo, hub: a.example/x, components: {pilot: {k8s: {replicaCount: 3}}},
          values: {global: {hub: b.example/y}, pilot: {replicaCount: 5}}}",
    );
    assert_eq!(found.mesh.control.image, "a.example/x/weft-control:1");
    assert_eq!(found.mesh.control.replicas, 3);
    let found = resolved("{profile: demo, values: {pilot: {replicaCount: 5}}}");
    assert_eq!(found.mesh.control.replicas, 5);
}

#[test]
fn keys_that_nothing_understands_are_named_and_harmless() {
    let found = resolved(
        "{values: {global: {multiCluster: {enabled: true}}}, meshConfig: {ingressClass: istio, enableTracing: true}}",
    );
    assert_eq!(
        found.unknown_keys,
        [
            "values.global.multiCluster.enabled",
            "meshConfig.ingressClass"
        ]
    );
}

#[test]
fn mesh_config_reaches_the_control_plane() {
    let settings = resolved(
        "{namespace: mesh, meshConfig: {trustDomain: a.example, mtls: {mode: STRICT},
          outboundTrafficPolicy: {mode: REGISTRY_ONLY}, accessLogFile: /dev/stdout, accessLogEncoding: JSON},
          ca: {workloadCertTTL: 60s}}",
    )
    .mesh
    .settings;
    assert_eq!(settings.root_namespace, "mesh");
    assert_eq!(settings.trust_domain, "a.example");
    assert_eq!(settings.mtls, MtlsMode::Strict);
    assert_eq!(settings.outbound, OutboundPolicy::RegistryOnly);
    assert_eq!(settings.access_log.unwrap().encoding, "JSON");
    assert_eq!(settings.workload_cert_ttl, "60s");
}

#[test]
fn a_single_resource_does_not_cost_the_others() {
    let proxy = resolved("{proxy: {resources: {limits: {memory: 32Mi}}}}")
        .mesh
        .injection
        .proxy;
    let (requests, limits) = (
        proxy.resources.requests.unwrap(),
        proxy.resources.limits.unwrap(),
    );
    assert_eq!(requests["cpu"].0, "10m");
    assert_eq!(limits["memory"].0, "32Mi");
    // The default request of 64Mi would exceed the limit: Kubernetes then requests the limit.
    assert_eq!(requests.get("memory"), None);
}

#[test]
fn an_unknown_version_is_refused_with_those_that_exist() {
    let refused = resolve(&mesh("{version: 9.9.9}"), IMAGE).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "version 9.9.9 is unknown to this operator; set spec.version to one of 0.1.0, or upgrade the operator"
    );
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_by_its_kind() {
    let refused = resolve(&mesh("{values: {pilot: {replicaCount: many}}}"), IMAGE).unwrap_err();
    assert!(matches!(refused, Refused::Unreadable { .. }), "{refused}");
}

#[test]
fn fields_without_machinery_are_named_only_when_they_ask_for_something() {
    let found =
        resolved("{channel: None, injection: {onOutage: Block}, updateStrategy: {type: InPlace}}");
    assert_eq!(found.unsupported, ["updateStrategy"]);
}

#[test]
fn of_the_update_of_proxies_only_the_pace_does_something() {
    let found = resolved("{dataPlane: {update: {maxPodsPerMinute: 5, mode: Manual}}}");
    assert_eq!(found.unsupported, ["dataPlane.update.mode"]);
}

#[test]
fn settings_of_a_component_that_do_nothing_are_named_with_their_component() {
    let found = resolved(
        "{components: {pilot: {k8s: {hpaSpec: {maxReplicas: 3}, nodeSelector: {disk: ssd}}},
          injector: {k8s: {overlays: [{kind: Service}], service: {type: LoadBalancer}}}}}",
    );
    let named = [
        "components.injector.k8s.overlays",
        "components.pilot.k8s.hpaSpec",
    ];
    assert_eq!(found.unsupported, named);
}

#[test]
fn dns_is_captured_where_the_mesh_or_istios_proxy_metadata_says_so() {
    let captures = |spec: &str| {
        let found = resolved(spec);
        assert_eq!(found.unknown_keys, Vec::<String>::new(), "{spec}");
        found.mesh.injection.interception.dns_capture
    };
    assert!(!captures("{}"));
    assert!(captures("{injection: {interception: {dnsCapture: true}}}"));
    let istio = "meshConfig: {defaultConfig: {proxyMetadata: {ISTIO_META_DNS_CAPTURE: \"true\"}}}";
    assert!(captures(&format!("{{{istio}}}")));
    let both = format!("{{injection: {{interception: {{dnsCapture: false}}}}, {istio}}}");
    assert!(!captures(&both), "a typed field wins");
}
