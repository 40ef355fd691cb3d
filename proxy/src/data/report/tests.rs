use super::*;
use crate::config::{Cluster, ServiceLabels};
use crate::data::secrets::Secrets;
use crate::data::test_conn;
use std::time::Duration;

fn workload(name: &str) -> Workload {
    Workload {
        name: name.into(),
        namespace: "shop".into(),
        app: name.into(),
        version: "v1".into(),
        canonical_service: name.into(),
        canonical_revision: "v1".into(),
        cluster: "Kubernetes".into(),
    }
}

fn recorder(metrics: &Arc<Metrics>) -> Recorder {
    Recorder::new(Arc::clone(metrics), Arc::new(Secrets::default()))
}

fn cluster() -> Arc<Cluster> {
    let service = ServiceLabels {
        host: "reviews.shop.svc.cluster.local".into(),
        name: "reviews".into(),
        namespace: "shop".into(),
    };
    let name = "inbound|9080||";
    Arc::new(Cluster {
        service: Some(service),
        ..test_conn::cluster(name)
    })
}

fn labels<'a>(cluster: &'a Arc<Cluster>, peer: Option<&'a Arc<Workload>>) -> Labels<'a> {
    Labels {
        side: Side::Destination,
        cluster: Some(cluster),
        peer,
        principal: None,
        protocol: Protocol::Http,
        code: 200,
        grpc_status: None,
        flags: Flags::NONE,
        mutual_tls: false,
    }
}

/// Label set as a sidecar of Istio 1.27 writes it for the same request.
const EXPECTED: &str = "reporter=\"destination\",source_workload=\"ratings\",\
    source_canonical_service=\"ratings\",source_canonical_revision=\"v1\",\
    source_workload_namespace=\"shop\",source_principal=\"unknown\",source_app=\"ratings\",\
    source_version=\"v1\",source_cluster=\"Kubernetes\",destination_workload=\"reviews\",\
    destination_workload_namespace=\"shop\",destination_principal=\"unknown\",\
    destination_app=\"reviews\",destination_version=\"v1\",\
    destination_service=\"reviews.shop.svc.cluster.local\",\
    destination_canonical_service=\"reviews\",destination_canonical_revision=\"v1\",\
    destination_service_name=\"reviews\",destination_service_namespace=\"shop\",\
    destination_cluster=\"Kubernetes\",request_protocol=\"http\",response_code=\"200\",\
    grpc_response_status=\"\",response_flags=\"-\",connection_security_policy=\"none\"";

#[test]
fn requests_of_all_workers_are_one_series_with_istios_labels() {
    let metrics = Metrics::new(workload("reviews"));
    let cluster = cluster();
    let done = Finished {
        duration: Duration::from_millis(7),
        request_bytes: 100,
        response_bytes: 1,
    };
    for recorder in [recorder(&metrics), recorder(&metrics)] {
        let peer = recorder.workload(b"ratings", |_| workload("ratings"));
        recorder.request(&labels(&cluster, Some(&peer)), &done);
    }
    let text = metrics.prometheus();
    assert!(text.starts_with(&format!(
        "# TYPE istio_requests_total counter\nistio_requests_total{{{EXPECTED}}} 2\n"
    )));
    for line in [
        format!("istio_request_duration_milliseconds_bucket{{{EXPECTED},le=\"0.5\"}} 0"),
        format!("istio_request_duration_milliseconds_bucket{{{EXPECTED},le=\"5\"}} 0"),
        format!("istio_request_duration_milliseconds_bucket{{{EXPECTED},le=\"10\"}} 2"),
        format!("istio_request_duration_milliseconds_bucket{{{EXPECTED},le=\"3600000\"}} 2"),
        format!("istio_request_duration_milliseconds_bucket{{{EXPECTED},le=\"+Inf\"}} 2"),
        format!("istio_request_duration_milliseconds_sum{{{EXPECTED}}} 14"),
        format!("istio_request_duration_milliseconds_count{{{EXPECTED}}} 2"),
        format!("istio_request_bytes_sum{{{EXPECTED}}} 200"),
        format!("istio_response_bytes_sum{{{EXPECTED}}} 2"),
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "no line {line}\n{text}"
        );
    }
}

#[test]
fn a_tcp_series_has_no_status_and_an_unknown_peer_is_called_so() {
    let metrics = Metrics::new(workload("reviews"));
    let recorder = recorder(&metrics);
    let cluster = cluster();
    let tcp = recorder.tcp(&Labels {
        protocol: Protocol::Tcp,
        ..labels(&cluster, None)
    });
    tcp.opened.increment();
    tcp.received.add(42);
    let text = metrics.prometheus();
    let line = text
        .lines()
        .find(|l| l.starts_with("istio_tcp_received_bytes_total{"))
        .unwrap();
    assert!(line.ends_with(
        "request_protocol=\"tcp\",response_flags=\"-\",connection_security_policy=\"none\"} 42"
    ));
    assert!(line.contains("source_workload=\"unknown\",source_canonical_service=\"unknown\""));
    assert!(line.contains("source_canonical_revision=\"unknown\""));
}

#[test]
fn the_source_side_swaps_the_ends_and_does_not_know_the_policy() {
    let metrics = Metrics::new(workload("ratings"));
    let recorder = recorder(&metrics);
    let cluster = cluster();
    let peer = recorder.workload(b"r", |_| {
        Workload::from_endpoint("reviews;shop;reviews;v1;K")
    });
    let principal = recorder.intern("spiffe://td/ns/shop/sa/reviews");
    let labels = Labels {
        side: Side::Source,
        principal: Some(&principal),
        protocol: Protocol::Grpc,
        grpc_status: Some(14),
        mutual_tls: true,
        ..labels(&cluster, Some(&peer))
    };
    recorder.request(&labels, &Finished::default());
    recorder.messages(&labels, 3, 4);
    let text = metrics.prometheus();
    for part in [
        "reporter=\"source\",source_workload=\"ratings\"",
        "destination_workload=\"reviews\"",
        "destination_principal=\"spiffe://td/ns/shop/sa/reviews\"",
        "grpc_response_status=\"14\"",
        "connection_security_policy=\"unknown\"",
        "# TYPE istio_response_messages_total counter",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

#[test]
fn strangers_cannot_make_series_without_end() {
    let metrics = Metrics::new(workload("reviews"));
    let recorder = recorder(&metrics);
    let cluster = cluster();
    for stranger in 0..3000_u32 {
        let peer = recorder.workload(&stranger.to_be_bytes(), |_| workload(&stranger.to_string()));
        recorder.request(&labels(&cluster, Some(&peer)), &Finished::default());
    }
    let text = metrics.prometheus();
    let series = text
        .lines()
        .filter(|line| line.starts_with("istio_requests_total{"))
        .count();
    assert_eq!(series, 2001);
    let rest = text
        .lines()
        .find(|l| l.contains("_requests_total") && l.contains("source_workload=\"unknown\""));
    assert!(rest.unwrap().ends_with(" 1000"));
}

#[test]
fn envoys_counters_have_envoys_names() {
    let metrics = Metrics::new(Workload::default());
    let recorder = recorder(&metrics);
    let cluster = recorder.cluster(&"outbound|80||a".into());
    cluster.finished(204, Flags::NONE, 1);
    cluster.cx_active.increment();
    let text = metrics.prometheus();
    for line in [
        "# TYPE envoy_cluster_upstream_rq_xx counter",
        "envoy_cluster_upstream_rq_xx{envoy_response_code_class=\"2\",envoy_cluster_name=\"outbound|80||a\"} 1",
        "# TYPE envoy_cluster_upstream_cx_active gauge",
        "envoy_cluster_upstream_cx_active{envoy_cluster_name=\"outbound|80||a\"} 1",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "no {line} in {text}"
        );
    }
    assert_eq!(metrics.stats()["cluster.outbound|80||a.upstream_rq_2xx"], 1);
}

#[test]
fn a_label_value_cannot_break_the_format() {
    assert_eq!(labels::Escaped("a\"b\\c\nd").to_string(), "a\\\"b\\\\c\\nd");
}
