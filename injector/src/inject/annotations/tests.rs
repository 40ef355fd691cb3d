use super::*;
use serde_json::json;

fn subject(annotations: &[(&str, &str)]) -> Subject {
    let annotations: std::collections::BTreeMap<_, _> = annotations.iter().copied().collect();
    Subject::new(json!({"metadata": {"annotations": annotations}, "spec": {"containers": []}}))
        .unwrap()
}

fn read_one(key: &str, value: &str) -> Result<Sidecar, Refused> {
    read(&subject(&[(key, value)]), &InjectionSettings::default())
}

#[test]
#[rustfmt::skip]
fn a_bad_value_is_refused_by_the_name_of_its_annotation() {
    let table = [
        ("sidecar.istio.io/proxyCPU", "lots"),
        ("weft.mesh/proxy-cpu", "-1"),
        ("weft.mesh/proxy-memory", "NaN"),
        ("weft.mesh/proxy-memory", "0"),
        ("traffic.sidecar.istio.io/excludeOutboundPorts", "mysql"),
        ("traffic.sidecar.istio.io/includeInboundPorts", "80,99999"),
        ("traffic.sidecar.istio.io/includeOutboundIPRanges", "10.0.0.0/64"),
        ("weft.mesh/native-sidecar", "maybe"),
        ("weft.mesh/concurrency", "1000"),
        ("weft.mesh/drain", "soon"),
        ("weft.mesh/log-level", "warn,weft=trace"),
    ];
    for (key, value) in table {
        let text = read_one(key, value).unwrap_err().to_string();
        assert!(text.starts_with(&format!("{key} is \"{value}\"; set it to ")), "{text}");
    }
}

#[test]
fn a_pod_may_not_ask_for_more_than_the_mesh_allows() {
    let refused = read_one("weft.mesh/proxy-cpu", "5").unwrap_err();
    assert_eq!(refused.code(), "OverLimit");
    assert!(refused.to_string().contains("at most 4"), "{refused}");
    assert!(read_one("weft.mesh/proxy-memory-limit", "4Gi").is_ok());
}

#[test]
fn our_annotation_counts_more_than_istios() {
    let both = [
        ("traffic.sidecar.istio.io/excludeInboundPorts", "1"),
        ("weft.mesh/exclude-inbound-ports", "2"),
    ];
    let sidecar = read(&subject(&both), &InjectionSettings::default()).unwrap();
    assert_eq!(sidecar.settings.interception.exclude_inbound_ports, "2");
}

#[test]
fn a_mesh_can_forbid_annotations() {
    let mut settings = InjectionSettings::default();
    settings.overrides.allow_annotations = false;
    let refused = read(&subject(&[("weft.mesh/drain", "5s")]), &settings).unwrap_err();
    assert_eq!(refused.code(), "AnnotationsForbidden");
}

#[test]
fn another_image_for_the_proxy_is_refused() {
    let refused = read_one("sidecar.istio.io/proxyImage", "evil").unwrap_err();
    assert_eq!(refused.code(), "Unsupported");
}

#[test]
fn an_annotation_without_effect_is_told() {
    let sidecar = read_one("sidecar.istio.io/statsInclusionPrefixes", "x").unwrap();
    assert!(sidecar.warnings[0].contains("statsInclusionPrefixes has no effect"));
}

#[test]
fn a_mesh_that_insists_on_native_sidecars_stays_native() {
    let mut settings = InjectionSettings::default();
    settings.proxy.native_sidecar = NativeSidecar::Always;
    let sidecar = read(
        &subject(&[("weft.mesh/native-sidecar", "false")]),
        &settings,
    )
    .unwrap();
    assert!(sidecar.native);
    assert_eq!(sidecar.warnings.len(), 1);
}

#[test]
fn a_pod_chooses_whether_its_dns_queries_are_answered_by_its_sidecar() {
    let captures = |value| {
        read_one("weft.mesh/dns-capture", value)
            .map(|sidecar| sidecar.settings.interception.dns_capture)
    };
    assert!(captures("true").unwrap());
    assert!(!captures("false").unwrap());
    assert!(captures("yes").is_err());
}
