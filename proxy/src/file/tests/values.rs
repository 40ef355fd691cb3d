#![expect(deprecated, reason = "files may have the older fields too")]

use super::{WHOLE, loaded};
use crate::config::{Action, Config, Discovery, Routes, Terminal};
use crate::file::schema::{Kind, Schema};
use crate::file::transcode::Transcoder;
use crate::file::tree;
use prost::Message;
use std::time::Duration;
use weft_proto::pb::envoy::config::cluster::v3::{
    Cluster, cluster::ClusterDiscoveryType, cluster::DiscoveryType,
};
use weft_proto::pb::envoy::config::route::v3::RouteConfiguration;
use weft_proto::pb::google::protobuf::value::Kind as Data;

fn message<M: Message + Default>(name: &str, yaml: &str) -> M {
    let schema = Schema::new();
    let mut transcoder = Transcoder::new(&schema);
    let bytes = transcoder.transcode(name, &tree::parse(yaml).unwrap());
    assert_eq!(transcoder.problems, [], "{yaml}");
    M::decode(&bytes[..]).unwrap()
}

fn cluster(yaml: &str) -> Cluster {
    message("envoy.config.cluster.v3.Cluster", yaml)
}

#[test]
fn durations_wrappers_and_enums_have_their_json_forms() {
    let read = cluster(
        "{connect_timeout: 1.25s, max_requests_per_connection: 7, type: STRICT_DNS, respect_dns_ttl: true}",
    );
    let timeout = read.connect_timeout.unwrap();
    assert_eq!((timeout.seconds, timeout.nanos), (1, 250_000_000));
    let requests = read.max_requests_per_connection.unwrap();
    assert_eq!(requests.value, 7);
    let discovery = read.cluster_discovery_type;
    assert_eq!(
        discovery,
        Some(ClusterDiscoveryType::Type(DiscoveryType::StrictDns.into()))
    );
    assert!(read.respect_dns_ttl);
}

#[test]
fn names_may_be_in_either_spelling_and_enums_in_numbers() {
    let snake = cluster("{connect_timeout: 5s, lb_policy: RING_HASH, type: EDS}");
    let camel = cluster("{connectTimeout: 5s, lbPolicy: 2, type: 3}");
    assert_eq!(snake, camel);
}

#[test]
fn json_is_read_like_yaml() {
    let json = "{\n\t\"name\": \"a\",\n\t\"connect_timeout\": \"5s\",\n\t\"health_checks\": [\n\t\t{\"timeout\": \"1s\", \"unhealthy_threshold\": 3}\n\t]\n}";
    let yaml =
        "name: a\nconnect_timeout: 5s\nhealth_checks:\n- {timeout: 1s, unhealthy_threshold: 3}";
    assert_eq!(cluster(json), cluster(yaml));
}

#[test]
fn anchors_are_followed() {
    let read = cluster("{connect_timeout: &t 5s, dns_refresh_rate: *t}");
    assert_eq!(read.dns_refresh_rate.unwrap().seconds, 5);
}

#[test]
fn a_null_is_as_good_as_nothing() {
    assert_eq!(
        cluster("{name: a, connect_timeout: null, health_checks: }"),
        cluster("name: a")
    );
}

#[test]
fn structs_keep_the_types_of_their_values() {
    let read = cluster(
        "metadata: {filter_metadata: {istio: {text: '5', number: 5, truth: true, list: [a], inner: {x: null}}}}",
    );
    let fields = &read.metadata.unwrap().filter_metadata["istio"].fields;
    let kind = |key: &str| fields[key].kind.clone().unwrap();
    assert_eq!(kind("text"), Data::StringValue("5".into()));
    assert_eq!(kind("number"), Data::NumberValue(5.0));
    assert_eq!(kind("truth"), Data::BoolValue(true));
    assert!(matches!(kind("list"), Data::ListValue(list) if list.values.len() == 1));
    assert!(matches!(kind("inner"), Data::StructValue(inner) if inner.fields.len() == 1));
}

#[test]
fn maps_of_any_are_keyed_by_name() {
    let yaml = "virtual_hosts: [{name: a, domains: [a], typed_per_filter_config: {cors: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy, max_age: '9'}}}]";
    let read: RouteConfiguration = message("envoy.config.route.v3.RouteConfiguration", yaml);
    let any = &read.virtual_hosts[0].typed_per_filter_config["cors"];
    assert!(any.type_url.ends_with(".CorsPolicy"));
    assert!(!any.value.is_empty());
}

#[test]
fn every_type_in_the_table_can_be_looked_up() {
    let schema = Schema::new();
    let bootstrap = schema.fields("envoy.config.bootstrap.v3.Bootstrap");
    let resources = bootstrap
        .iter()
        .find(|field| field.name == "static_resources")
        .unwrap();
    let Kind::Message(resources) = resources.kind else {
        panic!("{resources:?}");
    };
    assert_eq!(schema.fields(resources).len(), 3);
}

#[test]
fn a_whole_bootstrap_becomes_the_configuration_that_xds_would_bring() {
    let config: &Config = &loaded(WHOLE).config;
    let cluster = &config.clusters["backend"];
    assert_eq!(cluster.connect_timeout, Duration::from_millis(250));
    assert!(
        matches!(&cluster.discovery, Discovery::Static(found) if found[0].endpoints.len() == 1)
    );
    let listener = &config.listeners["main"];
    assert_eq!(listener.address, ([127, 0, 0, 1], 8080).into());
    let Terminal::Http(hcm) = &listener.filter_chains[0].terminal else {
        panic!("no HTTP");
    };
    let Routes::Inline(table) = &hcm.routes else {
        panic!("no routes");
    };
    let Action::Forward(forward) = &table.virtual_hosts[0].routes[0].action else {
        panic!("not forwarded");
    };
    assert_eq!(forward.timeout, Some(Duration::from_millis(1500)));
}
