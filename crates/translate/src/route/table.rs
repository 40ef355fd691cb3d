//! Route tables and their default routes.

use super::domains::domains;
use crate::names;
use crate::value::{number, seconds};
use std::collections::BTreeSet;
use weft_model::inbound::InboundPort;
use weft_model::service::{Port, Service};
use weft_model::{Protocol, View};
use weft_proto::pack;
use weft_proto::pb::envoy::config::route::v3 as route;
use weft_proto::pb::envoy::config::route::v3::retry_policy;
use weft_proto::pb::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
use weft_proto::pb::google::protobuf::BoolValue;

/// Longest body of a direct response, as Istio allows it.
const LONGEST_DIRECT_RESPONSE: u32 = 1 << 20;
/// When an attempt that failed is made again: nothing of these reached the application.
const RETRY_ON: &str =
    "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";

/// The table of an HTTP port number: every Service that has it, and what happens to other names.
pub(crate) fn of_port<'a>(
    view: &View,
    number: u16,
    services: impl Iterator<Item = (&'a Service, &'a Port)>,
) -> route::RouteConfiguration {
    let mut taken = BTreeSet::new();
    let mut virtual_hosts = Vec::new();
    for (service, port) in services {
        let mut free = domains(view, service);
        // A domain that stands twice would make a proxy refuse the whole table.
        free.retain(|domain| taken.insert(domain.clone()));
        if !free.is_empty() {
            virtual_hosts.push(virtual_host(service, port, free));
        }
    }
    virtual_hosts.push(unknown(view));
    table(&number.to_string(), virtual_hosts)
}

/// The table of a port of undeclared protocol, which is asked for on the Service's own addresses.
pub(crate) fn of_service(service: &Service, port: &Port) -> route::RouteConfiguration {
    let all = vec!["*".to_owned()];
    let name = names::route_of(port.number, &service.host);
    table(&name, vec![virtual_host(service, port, all)])
}

/// The table of a port of the pod itself.
pub(crate) fn inline(port: &InboundPort) -> route::RouteConfiguration {
    let cluster = names::inbound(port.number);
    let target = &port.services[0];
    to_application(&cluster, target.port, &target.host, port.protocol)
}

/// The table of ports of the pod that no Service leads to.
pub(crate) fn inline_passthrough() -> route::RouteConfiguration {
    to_application(names::INBOUND_PASSTHROUGH, 0, "", Protocol::Auto)
}

fn table(name: &str, virtual_hosts: Vec<route::VirtualHost>) -> route::RouteConfiguration {
    route::RouteConfiguration {
        name: name.to_owned(),
        virtual_hosts,
        // Clusters come on their own; a route that is early answers 503 until they are there.
        validate_clusters: Some(BoolValue { value: false }),
        max_direct_response_body_size_bytes: number(LONGEST_DIRECT_RESPONSE),
        ignore_port_in_host_matching: true,
        ..Default::default()
    }
}

fn virtual_host(service: &Service, port: &Port, domains: Vec<String>) -> route::VirtualHost {
    let action = route::RouteAction {
        retry_policy: Some(retries()),
        ..to_cluster(&names::outbound(port.number, "", &service.host))
    };
    route::VirtualHost {
        name: format!("{}:{}", service.host, port.number),
        domains,
        routes: vec![default_route(action, &service.host, port.number)],
        include_request_attempt_count: true,
        ..Default::default()
    }
}

/// What happens to names that the mesh does not know.
fn unknown(view: &View) -> route::VirtualHost {
    use weft_model::OutboundPolicy;
    let (name, action) = match view.mesh.outbound {
        OutboundPolicy::AllowAny => (
            "allow_any",
            route::route::Action::Route(to_cluster(names::PASSTHROUGH)),
        ),
        OutboundPolicy::RegistryOnly => ("block_all", bad_gateway()),
    };
    let route = route::Route {
        name: name.to_owned(),
        r#match: Some(everything()),
        action: Some(action),
        ..Default::default()
    };
    route::VirtualHost {
        name: name.to_owned(),
        domains: vec!["*".to_owned()],
        routes: vec![route],
        include_request_attempt_count: true,
        ..Default::default()
    }
}

fn bad_gateway() -> route::route::Action {
    route::route::Action::DirectResponse(route::DirectResponseAction {
        status: 502,
        ..Default::default()
    })
}

fn to_application(
    cluster: &str,
    port: u16,
    host: &str,
    protocol: Protocol,
) -> route::RouteConfiguration {
    let action = route::RouteAction {
        // gRPC clients have retries of their own, which know what may be repeated.
        retry_policy: (!protocol.is_http2()).then(|| route::RetryPolicy {
            retry_on: "reset-before-request".to_owned(),
            num_retries: number(2),
            ..Default::default()
        }),
        max_stream_duration: Some(route::route_action::MaxStreamDuration {
            max_stream_duration: seconds(0),
            grpc_timeout_header_max: seconds(0),
            ..Default::default()
        }),
        ..to_cluster(cluster)
    };
    let virtual_host = route::VirtualHost {
        name: format!("inbound|http|{port}"),
        domains: vec!["*".to_owned()],
        routes: vec![default_route(action, host, port)],
        ..Default::default()
    };
    route::RouteConfiguration {
        name: cluster.to_owned(),
        virtual_hosts: vec![virtual_host],
        validate_clusters: Some(BoolValue { value: false }),
        ..Default::default()
    }
}

fn default_route(action: route::RouteAction, host: &str, port: u16) -> route::Route {
    route::Route {
        name: "default".to_owned(),
        r#match: Some(everything()),
        decorator: Some(route::Decorator {
            operation: format!("{host}:{port}/*"),
            ..Default::default()
        }),
        action: Some(route::route::Action::Route(action)),
        ..Default::default()
    }
}

/// No timeout: Envoy's own of 15 s would surprise. The `grpc-timeout` of a client counts.
#[allow(
    deprecated,
    reason = "its successor `max_stream_duration` would limit other requests too"
)]
fn to_cluster(name: &str) -> route::RouteAction {
    route::RouteAction {
        cluster_specifier: Some(route::route_action::ClusterSpecifier::Cluster(
            name.to_owned(),
        )),
        timeout: seconds(0),
        max_grpc_timeout: seconds(0),
        ..Default::default()
    }
}

fn everything() -> route::RouteMatch {
    route::RouteMatch {
        path_specifier: Some(route::route_match::PathSpecifier::Prefix("/".to_owned())),
        ..Default::default()
    }
}

/// Istio's default: two more attempts, on other endpoints.
fn retries() -> route::RetryPolicy {
    let config = retry_policy::retry_host_predicate::ConfigType::TypedConfig(pack(
        &PreviousHostsPredicate {},
    ));
    let others = retry_policy::RetryHostPredicate {
        name: "envoy.retry_host_predicates.previous_hosts".to_owned(),
        config_type: Some(config),
    };
    route::RetryPolicy {
        retry_on: RETRY_ON.to_owned(),
        num_retries: number(2),
        retry_host_predicate: vec![others],
        host_selection_retry_max_attempts: 5,
        ..Default::default()
    }
}
