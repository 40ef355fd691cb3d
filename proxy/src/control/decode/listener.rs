//! Listeners and filter chains.

use super::fault::each;
use super::value::{self, duration, flag, port, range, texts, unpack};
use super::{At, Fault, Outcome, log, network, tls};
use crate::config::{ChainMatch, Direction, FilterChain, Listener, NetworkFilter, Transport};
use std::sync::Arc;
use std::time::Duration;
use weft_proto::pb::envoy::config::core::v3::TrafficDirection;
use weft_proto::pb::envoy::config::listener::v3 as pb;
use weft_proto::pb::google::protobuf::Any;

/// Envoy's default of `listener_filters_timeout`.
const DETECT_TIMEOUT: Duration = Duration::from_secs(15);

/// A listener (LDS).
///
/// # Errors
/// The first field that is wrong or unknown here.
pub fn listener(any: &Any) -> Outcome<Listener> {
    decode(&unpack(any)?)
}

fn decode(from: &pb::Listener) -> Outcome<Listener> {
    let filters = filters(from)?;
    let address = |entry: &pb::AdditionalAddress| value::socket_address(entry.address.as_ref());
    let fallback = from.default_filter_chain.as_ref();
    Ok(Listener {
        name: from.name.as_str().into(),
        address: value::socket_address(from.address.as_ref()).at("address")?,
        additional_addresses: each("additional_addresses", &from.additional_addresses, address)?,
        bind: flag(from.bind_to_port.as_ref(), true),
        use_original_dst: flag(from.use_original_dst.as_ref(), false),
        original_dst: filters.original_dst || flag(from.use_original_dst.as_ref(), false),
        direction: direction(from.traffic_direction()),
        tls_inspector: filters.tls,
        http_inspector: filters.http,
        detect_timeout: duration(
            "listener_filters_timeout",
            from.listener_filters_timeout.as_ref(),
        )?
        .unwrap_or(DETECT_TIMEOUT),
        continue_on_timeout: from.continue_on_listener_filters_timeout,
        filter_chains: each("filter_chains", &from.filter_chains, chain)?,
        default_filter_chain: fallback.map(chain).transpose().at("default_filter_chain")?,
        access_log: log::all(&from.access_log)?,
    })
}

fn direction(from: TrafficDirection) -> Direction {
    match from {
        TrafficDirection::Unspecified => Direction::Unspecified,
        TrafficDirection::Inbound => Direction::Inbound,
        TrafficDirection::Outbound => Direction::Outbound,
    }
}

/// Which listener filters there are; each is used at most once and none has settings for us.
#[derive(Default)]
struct Inspect {
    tls: bool,
    http: bool,
    original_dst: bool,
}

fn filters(from: &pb::Listener) -> Outcome<Inspect> {
    let mut found = Inspect::default();
    for (index, filter) in from.listener_filters.iter().enumerate() {
        let name = match &filter.config_type {
            Some(pb::listener_filter::ConfigType::TypedConfig(any)) => value::type_name(any),
            Some(pb::listener_filter::ConfigType::ConfigDiscovery(_)) | None => filter.name.clone(),
        };
        match name.as_str() {
            "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
            | "envoy.filters.listener.tls_inspector" => found.tls = true,
            "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector"
            | "envoy.filters.listener.http_inspector" => found.http = true,
            "envoy.extensions.filters.listener.original_dst.v3.OriginalDst"
            | "envoy.filters.listener.original_dst" => found.original_dst = true,
            // Only needed for TPROXY, which Weft does not use.
            "envoy.extensions.filters.listener.original_src.v3.OriginalSrc" => {}
            other => {
                let unknown = Fault::new(format!("the listener filter `{other}` is unknown here"));
                return Err(unknown).at_entry("listener_filters", index);
            }
        }
    }
    Ok(found)
}

fn chain(from: &pb::FilterChain) -> Outcome<Arc<FilterChain>> {
    let matches = from.filter_chain_match.as_ref();
    let (filters, terminal) = network::filters(&from.filters)?;
    Ok(Arc::new(FilterChain {
        name: from.name.as_str().into(),
        matches: matches
            .map(chain_match)
            .transpose()
            .at("filter_chain_match")?
            .unwrap_or_default(),
        tls: tls::downstream(from.transport_socket.as_ref()).at("transport_socket")?,
        filters: filters.into_iter().map(NetworkFilter::Rbac).collect(),
        terminal,
    }))
}

fn chain_match(from: &pb::FilterChainMatch) -> Outcome<ChainMatch> {
    let unsupported = !from.source_ports.is_empty()
        || !from.direct_source_prefix_ranges.is_empty()
        || from.source_type != 0
        || !from.address_suffix.is_empty();
    if unsupported {
        return Err(Fault::new(
            "source ports, source types and address suffixes are not supported",
        ));
    }
    let destination = from.destination_port.as_ref();
    Ok(ChainMatch {
        destination_port: destination.map(|value| port(value.value)).transpose()?,
        prefix_ranges: each("prefix_ranges", &from.prefix_ranges, range)?,
        server_names: texts(&from.server_names),
        transport: transport(&from.transport_protocol)?,
        application_protocols: texts(&from.application_protocols),
        source_prefix_ranges: each("source_prefix_ranges", &from.source_prefix_ranges, range)?,
    })
}

fn transport(name: &str) -> Outcome<Option<Transport>> {
    match name {
        "" => Ok(None),
        "raw_buffer" => Ok(Some(Transport::Raw)),
        "tls" => Ok(Some(Transport::Tls)),
        other => Err(Fault::new(format!(
            "transport_protocol `{other}` is unknown"
        ))),
    }
}
