//! Small messages that many resources are made of.

use prost::{Message, Name};
use std::net::IpAddr;
use weft_proto::pack;
use weft_proto::pb::envoy::config::core::v3 as core;
use weft_proto::pb::google::protobuf::{BoolValue, Duration, Struct, UInt32Value};

/// A duration.
pub(crate) fn duration(of: std::time::Duration) -> Option<Duration> {
    Some(Duration {
        seconds: i64::try_from(of.as_secs()).unwrap_or(i64::MAX),
        nanos: of.subsec_nanos().cast_signed(),
    })
}

/// So many seconds; zero is often Envoy's word for "never".
pub(crate) fn seconds(seconds: u64) -> Option<Duration> {
    duration(std::time::Duration::from_secs(seconds))
}

/// A number that is set, even to zero.
pub(crate) fn number(value: u32) -> Option<UInt32Value> {
    Some(UInt32Value { value })
}

/// A flag that is set, even to false.
pub(crate) fn flag(value: bool) -> Option<BoolValue> {
    Some(BoolValue { value })
}

/// A TCP address as Envoy writes it.
pub(crate) fn address(ip: IpAddr, port: u16) -> Option<core::Address> {
    place(ip.to_string(), port)
}

/// The same for an IP address or a name that DNS knows.
pub(crate) fn place(address: String, port: u16) -> Option<core::Address> {
    let address = core::address::Address::SocketAddress(named(address, port));
    Some(core::Address {
        address: Some(address),
    })
}

/// The inner part of [`address`].
pub(crate) fn socket_address(ip: IpAddr, port: u16) -> core::SocketAddress {
    named(ip.to_string(), port)
}

fn named(address: String, port: u16) -> core::SocketAddress {
    let port = core::socket_address::PortSpecifier::PortValue(port.into());
    core::SocketAddress {
        address,
        port_specifier: Some(port),
        ..Default::default()
    }
}

/// "Ask on this stream": where RDS, EDS and SDS resources come from.
pub(crate) fn ads() -> Option<core::ConfigSource> {
    let ads = core::config_source::ConfigSourceSpecifier::Ads(core::AggregatedConfigSource {});
    Some(core::ConfigSource {
        initial_fetch_timeout: seconds(0),
        resource_api_version: core::ApiVersion::V3.into(),
        config_source_specifier: Some(ads),
        ..Default::default()
    })
}

/// A transport socket of this name and configuration.
pub(crate) fn transport_socket<M: Message + Name>(name: &str, config: &M) -> core::TransportSocket {
    core::TransportSocket {
        name: name.to_owned(),
        config_type: Some(core::transport_socket::ConfigType::TypedConfig(pack(
            config,
        ))),
    }
}

/// Metadata that Istio's filters read: `fields` under the name `istio`.
pub(crate) fn istio_metadata(fields: Struct) -> core::Metadata {
    core::Metadata {
        filter_metadata: [("istio".to_owned(), fields)].into(),
        ..Default::default()
    }
}
