//! Fields that are not obeyed are refused by name.

use super::{http_filter, manager, refusal, router};
use crate::control::decode::table;
use weft_proto::pack;
use weft_proto::pb::envoy::config::core::v3 as core;
use weft_proto::pb::envoy::config::route::v3 as pb;
use weft_proto::pb::envoy::extensions::filters::http::fault::v3 as fault;
use weft_proto::pb::google::protobuf::{Duration, UInt32Value};

/// Why a table with one route is refused, after the way to that route.
fn route_refusal(change: impl Fn(&mut pb::RouteAction)) -> String {
    let mut action = pb::RouteAction {
        cluster_specifier: Some(pb::route_action::ClusterSpecifier::Cluster("c".into())),
        ..Default::default()
    };
    change(&mut action);
    let route = pb::Route {
        r#match: Some(pb::RouteMatch {
            path_specifier: Some(pb::route_match::PathSpecifier::Prefix("/".into())),
            ..Default::default()
        }),
        action: Some(pb::route::Action::Route(action)),
        ..Default::default()
    };
    host_refusal(|host| host.routes = vec![route.clone()])
        .trim_start_matches("virtual_hosts[0].routes[0].route.")
        .to_owned()
}

fn host_refusal(change: impl Fn(&mut pb::VirtualHost)) -> String {
    let mut host = pb::VirtualHost::default();
    change(&mut host);
    let table_of = pb::RouteConfiguration {
        virtual_hosts: vec![host],
        ..Default::default()
    };
    match table(&pack(&table_of)) {
        Ok(_) => "accepted".to_owned(),
        Err(fault) => fault.to_string(),
    }
}

fn unsupported(field: &str) -> String {
    format!("{field}: this field is not supported here, remove it")
}

#[test]
#[rustfmt::skip]
fn a_route_is_obeyed_whole_or_refused_by_the_fields_name() {
    type Change = fn(&mut pb::RouteAction);
    let rows: [(&str, Change); 6] = [
        ("metadata_match", |action| action.metadata_match = Some(core::Metadata::default())),
        ("hedge_policy",   |action| action.hedge_policy = Some(pb::HedgePolicy::default())),
        ("priority",       |action| action.priority = 1),
        ("path_rewrite",   |action| action.path_rewrite = "x".into()),
        ("max_stream_duration.max_stream_duration", |action| action.max_stream_duration = Some(pb::route_action::MaxStreamDuration {
            max_stream_duration: Some(Duration { seconds: 1, nanos: 0 }),
            ..Default::default()
        })),
        ("retry_policy.per_try_idle_timeout", |action| action.retry_policy = Some(pb::RetryPolicy {
            per_try_idle_timeout: Some(Duration { seconds: 1, nanos: 0 }),
            ..Default::default()
        })),
    ];
    for (field, change) in rows {
        assert_eq!(route_refusal(change), unsupported(field));
    }
    assert_eq!(route_refusal(|_| {}), "accepted");
}

#[test]
fn a_virtual_host_is_obeyed_whole_or_refused_by_the_fields_name() {
    let text = host_refusal(|host| host.hedge_policy = Some(pb::HedgePolicy::default()));
    assert_eq!(text, unsupported("virtual_hosts[0].hedge_policy"));
}

#[test]
fn a_filter_is_obeyed_whole_or_refused_by_the_fields_name() {
    let config = pack(&fault::HttpFault {
        max_active_faults: Some(UInt32Value { value: 1 }),
        ..Default::default()
    });
    let name = "envoy.filters.http.fault";
    let text = refusal(vec![manager(vec![
        http_filter(name, config.clone(), false),
        router(),
    ])]);
    assert!(
        text.ends_with(&unsupported(&format!("{name}.max_active_faults"))),
        "{text}"
    );
    let text = refusal(vec![manager(vec![
        http_filter("mine", config, false),
        router(),
    ])]);
    assert!(
        text.contains("must be called `envoy.filters.http.fault`"),
        "{text}"
    );
}
