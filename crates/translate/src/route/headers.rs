//! Changes of header fields.

use super::forward::cluster;
use crate::value::number;
use std::collections::BTreeMap;
use weft_model::View;
use weft_model::routing::{Operations, Weighted};
use weft_proto::pb::envoy::config::core::v3::{
    HeaderValue, HeaderValueOption, header_value_option::HeaderAppendAction,
};
use weft_proto::pb::envoy::config::route::v3::weighted_cluster::{
    ClusterWeight, cluster_weight::HostRewriteSpecifier,
};

/// Replaced fields first, then appended ones, each in name order.
pub(super) fn added(of: &Operations) -> Vec<HeaderValueOption> {
    let options = |fields: &BTreeMap<String, String>, action: HeaderAppendAction| {
        let option = |(key, value): (&String, &String)| HeaderValueOption {
            header: Some(HeaderValue {
                key: key.clone(),
                value: value.clone(),
                ..Default::default()
            }),
            append_action: action.into(),
            ..Default::default()
        };
        fields.iter().map(option).collect::<Vec<_>>()
    };
    let mut all = options(&of.set, HeaderAppendAction::OverwriteIfExistsOrAdd);
    all.extend(options(&of.add, HeaderAppendAction::AppendIfExistsOrAdd));
    all
}

/// One share of a route.
pub(super) fn weighted(view: &View, of: &Weighted, port: u16) -> ClusterWeight {
    let authority = of.headers.request.authority.clone();
    ClusterWeight {
        name: cluster(view, &of.destination, port),
        weight: number(of.weight),
        request_headers_to_add: added(&of.headers.request),
        request_headers_to_remove: of.headers.request.remove.clone(),
        response_headers_to_add: added(&of.headers.response),
        response_headers_to_remove: of.headers.response.remove.clone(),
        host_rewrite_specifier: authority.map(HostRewriteSpecifier::HostRewriteLiteral),
        ..Default::default()
    }
}
