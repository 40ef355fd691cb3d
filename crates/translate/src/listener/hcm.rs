//! HTTP connection managers.

use super::{access_log, chain};
use crate::value::{ads, flag, seconds};
use crate::{authorization, istio};
use hcm::http_connection_manager::{
    ForwardClientCertDetails, PathWithEscapedSlashesAction, RouteSpecifier,
    SetCurrentClientCertDetails, UpgradeConfig,
};
use weft_model::View;
use weft_model::mesh::Paths;
use weft_proto::pack;
use weft_proto::pb::envoy::config::listener::v3::Filter;
use weft_proto::pb::envoy::config::route::v3::RouteConfiguration;
use weft_proto::pb::envoy::extensions::filters::http as filters;
use weft_proto::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;

/// Requests of the pod's application.
pub(super) fn outbound(view: &View, stat_prefix: &str, route_table: &str) -> Filter {
    let rds = hcm::Rds {
        config_source: ads(),
        route_config_name: route_table.to_owned(),
    };
    let manager = hcm::HttpConnectionManager {
        stat_prefix: format!("outbound_{stat_prefix};"),
        route_specifier: Some(RouteSpecifier::Rds(rds)),
        http_filters: http_filters(false, Vec::new()),
        ..common(view)
    };
    filter(&manager)
}

/// Requests of the world outside, of which nothing is believed.
pub(super) fn edge(view: &View, stat_prefix: &str, route_table: &str) -> Filter {
    let rds = hcm::Rds {
        config_source: ads(),
        route_config_name: route_table.to_owned(),
    };
    let manager = hcm::HttpConnectionManager {
        stat_prefix: format!("outbound_{stat_prefix};"),
        route_specifier: Some(RouteSpecifier::Rds(rds)),
        http_filters: http_filters(false, authorization::http(view)),
        server_name: "weft".to_owned(),
        use_remote_address: flag(true),
        forward_client_cert_details: ForwardClientCertDetails::SanitizeSet.into(),
        set_current_client_cert_details: Some(SetCurrentClientCertDetails {
            subject: flag(true),
            cert: true,
            dns: true,
            uri: true,
            ..Default::default()
        }),
        ..common(view)
    };
    filter(&manager)
}

/// Requests to the pod's application.
pub(super) fn inbound(view: &View, stat_prefix: &str, routes: RouteConfiguration) -> Filter {
    let manager = hcm::HttpConnectionManager {
        stat_prefix: format!("{stat_prefix};"),
        route_specifier: Some(RouteSpecifier::RouteConfig(routes)),
        http_filters: http_filters(true, authorization::http(view)),
        server_name: "weft".to_owned(),
        // Only a verified mesh peer may say for whom it speaks; from others the header is taken away.
        forward_client_cert_details: ForwardClientCertDetails::AppendForward.into(),
        set_current_client_cert_details: Some(SetCurrentClientCertDetails {
            subject: flag(true),
            dns: true,
            uri: true,
            ..Default::default()
        }),
        ..common(view)
    };
    filter(&manager)
}

fn filter(manager: &hcm::HttpConnectionManager) -> Filter {
    chain::filter("envoy.filters.network.http_connection_manager", manager)
}

fn common(view: &View) -> hcm::HttpConnectionManager {
    hcm::HttpConnectionManager {
        access_log: access_log::of(view),
        stream_idle_timeout: seconds(0),
        use_remote_address: flag(false),
        proxy_100_continue: true,
        upgrade_configs: vec![UpgradeConfig {
            upgrade_type: "websocket".to_owned(),
            ..Default::default()
        }],
        // Policies and applications must read the same path.
        normalize_path: flag(view.mesh.paths != Paths::None),
        merge_slashes: matches!(
            view.mesh.paths,
            Paths::MergeSlashes | Paths::DecodeAndMergeSlashes
        ),
        path_with_escaped_slashes_action: escaped_slashes(view.mesh.paths).into(),
        ..Default::default()
    }
}

fn escaped_slashes(paths: Paths) -> PathWithEscapedSlashesAction {
    match paths {
        Paths::None | Paths::Base | Paths::MergeSlashes => {
            PathWithEscapedSlashesAction::KeepUnchanged
        }
        Paths::DecodeAndMergeSlashes => PathWithEscapedSlashesAction::UnescapeAndForward,
    }
}

/// In Istio's order.
fn http_filters(inbound: bool, policies: Vec<hcm::HttpFilter>) -> Vec<hcm::HttpFilter> {
    let mut all = vec![istio::metadata_exchange(inbound)];
    all.extend(policies);
    if !inbound {
        all.push(istio::alpn());
    }
    all.push(named(
        "envoy.filters.http.fault",
        pack(&filters::fault::v3::HttpFault::default()),
    ));
    all.push(named(
        "envoy.filters.http.cors",
        pack(&filters::cors::v3::Cors {}),
    ));
    all.push(istio::stats());
    all.push(named(
        "envoy.filters.http.router",
        pack(&filters::router::v3::Router::default()),
    ));
    all
}

fn named(name: &str, config: weft_proto::pb::google::protobuf::Any) -> hcm::HttpFilter {
    hcm::HttpFilter {
        name: name.to_owned(),
        config_type: Some(hcm::http_filter::ConfigType::TypedConfig(config)),
        ..Default::default()
    }
}
