//! Route tables and their default routes.

use super::domains::domains;
use super::forward::{cluster, hash, retries, to_cluster};
use super::matches::everything;
use super::virtual_service;
use crate::names;
use crate::value::{number, seconds};
use std::collections::BTreeSet;
use weft_model::inbound::InboundPort;
use weft_model::protocol::Handling;
use weft_model::routing::Destination;
use weft_model::service::{Port, Service};
use weft_model::view::Unknown;
use weft_model::{Protocol, View};
use weft_proto::pb::envoy::config::route::v3 as route;
use weft_proto::pb::google::protobuf::BoolValue;

/// Longest body of a direct response, as Istio allows it.
const LONGEST_DIRECT_RESPONSE: u32 = 1 << 20;

/// Whether requests to a port of `service` are told from those to other services by their host.
pub(crate) fn is_http(view: &View, service: &Service, port: &Port) -> bool {
    match port.protocol.handling() {
        Handling::Http => true,
        Handling::Sniff => view.is_without_address(service),
        Handling::Tcp => false,
    }
}

/// The table `name` of an HTTP port: every Service that has it, and what happens to other names.
pub(crate) fn of_port<'a>(
    view: &View,
    (name, number): (&str, u16),
    services: impl Iterator<Item = (&'a Service, &'a Port)>,
) -> route::RouteConfiguration {
    let mut taken = BTreeSet::new();
    let mut virtual_hosts = Vec::new();
    for (service, port) in services {
        let mut free = domains(view, service);
        // A domain that stands twice would make a proxy refuse the whole table.
        free.retain(|domain| taken.insert(domain.clone()));
        if !free.is_empty() {
            virtual_hosts.push(virtual_host(view, service, port, free));
        }
    }
    if number == 80 {
        virtual_hosts.extend(without_service(view, &mut taken));
    }
    virtual_hosts.push(unknown(view));
    table(name, virtual_hosts)
}

/// The table of a port of undeclared protocol, which is asked for on the Service's own addresses.
pub(crate) fn of_service(view: &View, service: &Service, port: &Port) -> route::RouteConfiguration {
    let all = vec!["*".to_owned()];
    let name = names::route_of(port.number, &service.host);
    table(&name, vec![virtual_host(view, service, port, all)])
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

/// A table of these virtual hosts.
pub(crate) fn table(
    name: &str,
    virtual_hosts: Vec<route::VirtualHost>,
) -> route::RouteConfiguration {
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

fn virtual_host(
    view: &View,
    service: &Service,
    port: &Port,
    domains: Vec<String>,
) -> route::VirtualHost {
    let own = virtual_service::of_host(view, &service.host);
    route::VirtualHost {
        name: format!("{}:{}", service.host, port.number),
        domains,
        routes: match own {
            Some(own) => virtual_service::routes(view, own, port.number, None),
            None => vec![to_service(view, service, port)],
        },
        include_request_attempt_count: true,
        ..Default::default()
    }
}

fn to_service(view: &View, service: &Service, port: &Port) -> route::Route {
    let whole = Destination {
        host: service.host.clone(),
        subset: String::new(),
        port: Some(port.number),
    };
    let action = route::RouteAction {
        retry_policy: Some(retries()),
        hash_policy: hash(view, &whole, port.number).into_iter().collect(),
        ..to_cluster(&names::outbound(port.number, "", &service.host))
    };
    default_route(action, &service.host, port.number)
}

/// Hosts that only VirtualServices know; clients reach them on port 80.
fn without_service(view: &View, taken: &mut BTreeSet<String>) -> Vec<route::VirtualHost> {
    const PORT: u16 = 80;
    let mut all = Vec::new();
    for own in view.routing.iter().filter(|own| !own.routes.is_empty()) {
        for host in &own.hosts {
            let known = view
                .services
                .iter()
                .any(|service| host.covers(&service.host));
            if !known && taken.insert(host.to_string()) {
                all.push(route::VirtualHost {
                    name: format!("{host}:{PORT}"),
                    domains: vec![host.to_string()],
                    routes: virtual_service::routes(view, own, PORT, None),
                    include_request_attempt_count: true,
                    ..Default::default()
                });
            }
        }
    }
    all
}

/// What happens to names that the mesh does not know.
fn unknown(view: &View) -> route::VirtualHost {
    let pass = |name: &str| ("allow_any", route::route::Action::Route(to_cluster(name)));
    let (name, action) = match &view.unknown {
        Unknown::Pass => pass(names::PASSTHROUGH),
        Unknown::Through(to) => pass(&cluster(view, to, 0)),
        Unknown::Refuse => ("block_all", bad_gateway()),
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
