//! Messages in, parts of the configuration out. The oracle is Envoy's API documentation.

mod refused;

use super::{assignment, cluster, listener, table};
use crate::config::{
    Action, Discovery, HttpFilter, LoadBalancing, PathMatch, Routes, Terminal, TlsIdentity,
    TlsRoots, Transport,
};
use std::time::Duration;
use weft_proto::pb::envoy::config::cluster::v3 as cds;
use weft_proto::pb::envoy::config::core::v3 as core;
use weft_proto::pb::envoy::config::endpoint::v3 as eds;
use weft_proto::pb::envoy::config::listener::v3 as lds;
use weft_proto::pb::envoy::config::rbac::v3 as rbac;
use weft_proto::pb::envoy::config::route::v3 as rds;
use weft_proto::pb::envoy::extensions::filters::http::rbac::v3 as http_rbac;
use weft_proto::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use weft_proto::pb::envoy::extensions::filters::network::tcp_proxy::v3 as tcp;
use weft_proto::pb::envoy::extensions::transport_sockets::tls::v3 as tls;
use weft_proto::pb::envoy::r#type::matcher::v3::RegexMatcher;
use weft_proto::pb::google::protobuf::{Any, BoolValue, UInt32Value};
use weft_proto::typed_struct::{TypedStruct, nested, object, string};
use weft_proto::{any, pack};

fn address(ip: &str, port: u32) -> Option<core::Address> {
    let socket = core::SocketAddress {
        address: ip.into(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(port)),
        ..Default::default()
    };
    Some(core::Address {
        address: Some(core::address::Address::SocketAddress(socket)),
    })
}

fn http_filter(name: &str, config: Any, is_optional: bool) -> hcm::HttpFilter {
    hcm::HttpFilter {
        name: name.into(),
        is_optional,
        config_type: Some(hcm::http_filter::ConfigType::TypedConfig(config)),
        ..Default::default()
    }
}

fn router() -> hcm::HttpFilter {
    let url = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
    http_filter(
        "envoy.filters.http.router",
        Any {
            type_url: url.into(),
            value: vec![],
        },
        false,
    )
}

fn filter(name: &str, config: Any) -> lds::Filter {
    lds::Filter {
        name: name.into(),
        config_type: Some(lds::filter::ConfigType::TypedConfig(config)),
    }
}

fn manager(filters: Vec<hcm::HttpFilter>) -> lds::Filter {
    let rds = hcm::Rds {
        route_config_name: "80".into(),
        ..Default::default()
    };
    let manager = hcm::HttpConnectionManager {
        http_filters: filters,
        route_specifier: Some(hcm::http_connection_manager::RouteSpecifier::Rds(rds)),
        ..Default::default()
    };
    filter("hcm", pack(&manager))
}

fn with_chain(chain: lds::FilterChain) -> Any {
    pack(&lds::Listener {
        name: "virtualInbound".into(),
        address: address("0.0.0.0", 15006),
        filter_chains: vec![chain],
        ..Default::default()
    })
}

fn refusal(filters: Vec<lds::Filter>) -> String {
    let chain = lds::FilterChain {
        filters,
        ..Default::default()
    };
    listener(&with_chain(chain)).unwrap_err().to_string()
}

fn sds(name: &str) -> tls::SdsSecretConfig {
    tls::SdsSecretConfig {
        name: name.into(),
        ..Default::default()
    }
}

fn mesh_tls() -> core::TransportSocket {
    use tls::common_tls_context::{CombinedCertificateValidationContext, ValidationContextType};
    let combined = CombinedCertificateValidationContext {
        validation_context_sds_secret_config: Some(sds("ROOTCA")),
        ..Default::default()
    };
    let context = tls::DownstreamTlsContext {
        common_tls_context: Some(tls::CommonTlsContext {
            tls_certificate_sds_secret_configs: vec![sds("default")],
            validation_context_type: Some(ValidationContextType::CombinedValidationContext(
                combined,
            )),
            ..Default::default()
        }),
        require_client_certificate: Some(BoolValue { value: true }),
        ..Default::default()
    };
    core::TransportSocket {
        name: "envoy.transport_sockets.tls".into(),
        config_type: Some(core::transport_socket::ConfigType::TypedConfig(pack(
            &context,
        ))),
    }
}

#[test]
fn an_mtls_chain_uses_the_workloads_certificate_and_the_meshs_roots() {
    let matches = lds::FilterChainMatch {
        destination_port: Some(UInt32Value { value: 8080 }),
        transport_protocol: "tls".into(),
        application_protocols: vec!["istio".into()],
        ..Default::default()
    };
    let chain = lds::FilterChain {
        filter_chain_match: Some(matches),
        filters: vec![manager(vec![router()])],
        transport_socket: Some(mesh_tls()),
        ..Default::default()
    };
    let decoded = listener(&with_chain(chain)).unwrap();
    let chain = &decoded.filter_chains[0];
    assert_eq!(chain.matches.destination_port, Some(8080));
    assert_eq!(chain.matches.transport, Some(Transport::Tls));
    let tls = chain.tls.as_ref().unwrap();
    assert_eq!(tls.identity, TlsIdentity::Workload);
    assert_eq!(tls.client_roots, Some(TlsRoots::Mesh));
    assert!(tls.require_client && !tls.tls12);
    // Envoy: listener_filters_timeout "If not specified, a default timeout of 15s is used".
    assert_eq!(decoded.detect_timeout, Duration::from_secs(15));
    let Terminal::Http(hcm) = &chain.terminal else {
        panic!("{:?}", chain.terminal)
    };
    assert_eq!(hcm.routes, Routes::Named("80".into()));
}

#[test]
fn a_filter_that_is_unknown_is_refused_with_its_place_unless_it_is_optional() {
    let unknown = any("type.googleapis.com/acme.Guard", &core::Locality::default());
    let guard = |optional| {
        vec![manager(vec![
            http_filter("guard", unknown.clone(), optional),
            router(),
        ])]
    };
    assert_eq!(
        refusal(guard(false)),
        "filter_chains[0].filters[0].hcm.http_filters[0].guard: this proxy has no such filter (acme.Guard), and it is not marked `is_optional`"
    );
    let chain = lds::FilterChain {
        filters: guard(true),
        ..Default::default()
    };
    assert!(listener(&with_chain(chain)).is_ok());
}

#[test]
fn istios_own_filters_are_known_as_untyped_structs() {
    let typed = |url: &str| TypedStruct::any(&format!("type.googleapis.com/{url}"), object([]));
    let filters = vec![
        http_filter(
            "istio.metadata_exchange",
            typed("io.istio.http.peer_metadata.Config"),
            false,
        ),
        http_filter(
            "istio.alpn",
            typed("istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig"),
            false,
        ),
        http_filter("istio.stats", typed("stats.PluginConfig"), false),
        router(),
    ];
    let exchange = filter(
        "istio.metadata_exchange",
        typed("envoy.tcp.metadataexchange.config.MetadataExchange"),
    );
    let chain = lds::FilterChain {
        filters: vec![exchange, manager(filters)],
        ..Default::default()
    };
    let decoded = listener(&with_chain(chain)).unwrap();
    let Terminal::Http(hcm) = &decoded.filter_chains[0].terminal else {
        panic!("not HTTP")
    };
    assert_eq!(
        hcm.filters,
        [HttpFilter::PeerMetadata, HttpFilter::IstioStats]
    );
}

#[test]
fn a_policy_that_is_only_half_understood_is_refused_whole() {
    let sourced = rbac::permission::Rule::Metadata(Default::default());
    let policy = rbac::Policy {
        permissions: vec![rbac::Permission {
            rule: Some(sourced),
        }],
        principals: vec![rbac::Principal {
            identifier: Some(rbac::principal::Identifier::Any(true)),
        }],
        ..Default::default()
    };
    let rules = rbac::Rbac {
        policies: [("p".to_owned(), policy)].into(),
        ..Default::default()
    };
    let config = pack(&http_rbac::Rbac {
        rules: Some(rules),
        ..Default::default()
    });
    let text = refusal(vec![manager(vec![
        http_filter("envoy.filters.http.rbac", config, false),
        router(),
    ])]);
    assert!(
        text.ends_with("policies.p.permissions[0]: this kind of permission is not supported"),
        "{text}"
    );
}

#[test]
fn a_chain_without_a_terminal_filter_is_refused() {
    assert_eq!(
        refusal(vec![]),
        "filter_chains[0].filters: no filter that takes the connection"
    );
}

#[test]
fn a_tcp_proxy_without_settings_has_envoys_defaults() {
    let proxy = tcp::TcpProxy {
        cluster_specifier: Some(tcp::tcp_proxy::ClusterSpecifier::Cluster("out".into())),
        ..Default::default()
    };
    let chain = lds::FilterChain {
        filters: vec![filter("tcp", pack(&proxy))],
        ..Default::default()
    };
    let decoded = listener(&with_chain(chain)).unwrap();
    let Terminal::Tcp(tcp) = &decoded.filter_chains[0].terminal else {
        panic!("not TCP")
    };
    // Envoy TcpProxy.idle_timeout: "the default is 1 hour"; max_connect_attempts: "defaults to 1".
    assert_eq!(tcp.idle_timeout, Some(Duration::from_secs(3600)));
    assert_eq!(tcp.max_connect_attempts, 1);
}

#[test]
fn an_eds_cluster_is_asked_for_by_its_service_name_and_has_no_endpoints_yet() {
    let part = cluster(&pack(&cds::Cluster {
        name: "outbound|80||a".into(),
        cluster_discovery_type: Some(cds::cluster::ClusterDiscoveryType::Type(
            cds::cluster::DiscoveryType::Eds.into(),
        )),
        lb_policy: cds::cluster::LbPolicy::LeastRequest.into(),
        ..Default::default()
    }))
    .unwrap();
    assert_eq!(part.eds.as_deref(), Some("outbound|80||a"));
    assert_eq!(part.cluster.discovery, Discovery::Eds(Default::default()));
    assert_eq!(part.cluster.lb, LoadBalancing::LeastRequest);
    // Envoy: connect_timeout "defaults to 5s"; healthy_panic_threshold "defaults to 50%".
    assert_eq!(part.cluster.connect_timeout, Duration::from_secs(5));
    assert!((part.cluster.panic_threshold - 50.0).abs() < f64::EPSILON);
    assert_eq!(part.cluster.limits.connections, 1024);
}

#[test]
fn endpoints_keep_what_chooses_their_tls() {
    let metadata = core::Metadata {
        filter_metadata: [
            (
                "envoy.transport_socket_match".to_owned(),
                object([("tlsMode", string("istio"))]),
            ),
            (
                "istio".to_owned(),
                object([
                    ("workload", string("a;ns;a;v1;c")),
                    ("x", nested(object([]))),
                ]),
            ),
        ]
        .into(),
        ..Default::default()
    };
    let endpoint = eds::LbEndpoint {
        metadata: Some(metadata),
        host_identifier: Some(eds::lb_endpoint::HostIdentifier::Endpoint(eds::Endpoint {
            address: address("10.0.0.1", 80),
            ..Default::default()
        })),
        ..Default::default()
    };
    let locality = eds::LocalityLbEndpoints {
        lb_endpoints: vec![endpoint],
        ..Default::default()
    };
    let (name, found) = assignment(&pack(&eds::ClusterLoadAssignment {
        cluster_name: "a".into(),
        endpoints: vec![locality],
        ..Default::default()
    }))
    .unwrap();
    let endpoint = &found[0].endpoints[0];
    assert_eq!(&*name, "a");
    assert_eq!(endpoint.address, "10.0.0.1:80".parse().unwrap());
    assert_eq!(&*endpoint.transport_match["tlsMode"], "istio");
    assert_eq!(endpoint.workload.as_deref(), Some("a;ns;a;v1;c"));
}

fn route(path: rds::route_match::PathSpecifier) -> rds::Route {
    let action = rds::RouteAction {
        cluster_specifier: Some(rds::route_action::ClusterSpecifier::Cluster("c".into())),
        ..Default::default()
    };
    rds::Route {
        r#match: Some(rds::RouteMatch {
            path_specifier: Some(path),
            ..Default::default()
        }),
        action: Some(rds::route::Action::Route(action)),
        ..Default::default()
    }
}

fn one_host(domains: &[&str], route: rds::Route) -> rds::VirtualHost {
    rds::VirtualHost {
        domains: domains.iter().map(|d| (*d).to_owned()).collect(),
        routes: vec![route],
        ..Default::default()
    }
}

#[test]
fn a_route_without_a_timeout_has_envoys_fifteen_seconds_and_a_regex_matches_the_whole_path() {
    let regex = RegexMatcher {
        regex: "/a.*|/b".into(),
        ..Default::default()
    };
    let host = one_host(
        &["*"],
        route(rds::route_match::PathSpecifier::SafeRegex(regex)),
    );
    let decoded = table(&pack(&rds::RouteConfiguration {
        virtual_hosts: vec![host],
        ..Default::default()
    }))
    .unwrap();
    let route = &decoded.virtual_hosts[0].routes[0];
    let Action::Forward(forward) = &route.action else {
        panic!("{:?}", route.action)
    };
    assert_eq!(forward.timeout, Some(Duration::from_secs(15)));
    let PathMatch::Regex(regex) = &route.matches.path else {
        panic!("{:?}", route.matches)
    };
    assert!(regex.is_match("/axx") && regex.is_match("/b"));
    assert!(!regex.is_match("/x/b") && !regex.is_match("/bb"));
}

#[test]
fn a_domain_that_is_there_twice_is_refused() {
    let prefix = || route(rds::route_match::PathSpecifier::Prefix("/".into()));
    let error = table(&pack(&rds::RouteConfiguration {
        virtual_hosts: vec![
            one_host(&["A.example"], prefix()),
            one_host(&["a.example"], prefix()),
        ],
        ..Default::default()
    }))
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "virtual_hosts: the domain `a.example` is there twice"
    );
}
