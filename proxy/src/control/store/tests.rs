//! Resources in, configurations out.

use super::*;
use weft_proto::pack;
use weft_proto::pb::envoy::config::cluster::v3 as cds;
use weft_proto::pb::envoy::config::core::v3 as core;
use weft_proto::pb::envoy::config::endpoint::v3 as eds;
use weft_proto::pb::envoy::config::listener::v3 as lds;
use weft_proto::pb::envoy::config::route::v3 as rds;
use weft_proto::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;

fn resource(name: &str, any: Any) -> SavedResource {
    SavedResource {
        type_url: any.type_url,
        name: name.into(),
        version: "1".into(),
        value: any.value,
    }
}

fn cluster(name: &str) -> SavedResource {
    let kind = cds::cluster::DiscoveryType::Eds.into();
    let message = cds::Cluster {
        name: name.into(),
        cluster_discovery_type: Some(cds::cluster::ClusterDiscoveryType::Type(kind)),
        ..Default::default()
    };
    resource(name, pack(&message))
}

fn endpoints(name: &str) -> SavedResource {
    let message = eds::ClusterLoadAssignment {
        cluster_name: name.into(),
        ..Default::default()
    };
    resource(name, pack(&message))
}

fn routes(name: &str, to: &str) -> SavedResource {
    let action = rds::RouteAction {
        cluster_specifier: Some(rds::route_action::ClusterSpecifier::Cluster(to.into())),
        ..Default::default()
    };
    let route = rds::Route {
        r#match: Some(rds::RouteMatch {
            path_specifier: Some(rds::route_match::PathSpecifier::Prefix("/".into())),
            ..Default::default()
        }),
        action: Some(rds::route::Action::Route(action)),
        ..Default::default()
    };
    let host = rds::VirtualHost {
        domains: vec!["*".into()],
        routes: vec![route],
        ..Default::default()
    };
    let message = rds::RouteConfiguration {
        name: name.into(),
        virtual_hosts: vec![host],
        ..Default::default()
    };
    resource(name, pack(&message))
}

fn listener(name: &str, routes: &str) -> SavedResource {
    let rds = hcm::Rds {
        route_config_name: routes.into(),
        ..Default::default()
    };
    let manager = hcm::HttpConnectionManager {
        route_specifier: Some(hcm::http_connection_manager::RouteSpecifier::Rds(rds)),
        ..Default::default()
    };
    let filter = lds::Filter {
        name: "hcm".into(),
        config_type: Some(lds::filter::ConfigType::TypedConfig(pack(&manager))),
    };
    let socket = core::SocketAddress {
        address: "0.0.0.0".into(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(80)),
        ..Default::default()
    };
    let message = lds::Listener {
        name: name.into(),
        address: Some(core::Address {
            address: Some(core::address::Address::SocketAddress(socket)),
        }),
        filter_chains: vec![lds::FilterChain {
            filters: vec![filter],
            ..Default::default()
        }],
        ..Default::default()
    };
    resource(name, pack(&message))
}

/// Takes in resources as one answer of each of their types.
fn take(store: &mut Store, resources: &[SavedResource]) -> Vec<Refusal> {
    let refused = store.update(resources);
    for resource in resources {
        store.remove(&resource.type_url, &[]);
    }
    refused
}

fn settled() -> Store {
    let mut store = Store::default();
    let all = [
        cluster("a"),
        endpoints("a"),
        listener("l", "r"),
        routes("r", "a"),
    ];
    assert_eq!(take(&mut store, &all), []);
    assert!(store.complete());
    store.advance().unwrap();
    store
}

fn target(config: &Config) -> Arc<str> {
    references::of_table(&config.routes["r"])
        .into_iter()
        .next()
        .unwrap()
}

#[test]
fn nothing_is_complete_before_every_cluster_and_route_table_has_its_answer() {
    let mut store = Store::default();
    take(&mut store, &[cluster("a"), listener("l", "r")]);
    assert_eq!(store.wanted_endpoints(), ["a".to_owned()].into());
    assert_eq!(store.wanted_routes(), ["r".to_owned()].into());
    assert!(!store.complete());
    take(&mut store, &[endpoints("a")]);
    assert!(!store.complete());
    take(&mut store, &[routes("r", "a")]);
    assert!(store.complete());
}

#[test]
fn a_name_that_the_control_plane_does_not_have_holds_nothing_up() {
    let mut store = Store::default();
    take(&mut store, &[cluster("a"), listener("l", "r")]);
    store.remove(ENDPOINTS, &["a".into()]);
    store.remove(ROUTE, &["r".into()]);
    assert!(store.complete());
    assert!(store.advance().unwrap().listeners.contains_key("l"));
}

#[test]
fn a_route_switches_only_when_its_new_cluster_has_endpoints() {
    let mut store = settled();
    take(&mut store, &[cluster("b"), routes("r", "b")]);
    assert!(store.advance().is_none(), "`b` is not there yet");
    take(&mut store, &[endpoints("b")]);
    assert_eq!(&*target(&store.advance().unwrap()), "b");
}

#[test]
fn a_refused_resource_leaves_its_last_good_version_and_all_others_alone() {
    let mut store = settled();
    let mut broken = routes("r", "b");
    broken.value = vec![0xff];
    let refused = take(&mut store, &[broken, routes("s", "a")]);
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].name, "r");
    let config = store.advance().unwrap();
    assert_eq!(&*target(&config), "a");
    assert!(config.routes.contains_key("s"));
}

#[test]
fn what_has_not_changed_is_the_same_allocation_in_the_next_configuration() {
    let mut store = settled();
    let before = Arc::clone(&store.published);
    take(
        &mut store,
        &[
            cluster("a"),
            listener("l", "r"),
            cluster("b"),
            endpoints("b"),
        ],
    );
    let after = store.advance().unwrap();
    assert!(Arc::ptr_eq(&before.clusters["a"], &after.clusters["a"]));
    assert!(Arc::ptr_eq(&before.listeners["l"], &after.listeners["l"]));
}

#[test]
fn a_saved_configuration_gives_the_same_configuration_again() {
    let store = settled();
    let mut next = Store::default();
    let good = next.restore(&store.saved());
    assert_eq!(good.len(), 4);
    assert!(next.complete());
    assert_eq!(
        format!("{:?}", next.advance().unwrap()),
        format!("{:?}", store.published)
    );
}
