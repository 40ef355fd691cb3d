//! What is captured, as the pod's environment says it.

use ipnet::IpNet;
use std::net::IpAddr;
use std::str::FromStr;

/// The uid and gid that the proxy runs as.
const PROXY_ID: u32 = 1337;

/// Which ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Every port (`*`).
    All,
    /// These; empty is none.
    Only(Vec<u16>),
}

/// Which destination addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// Every address (`*`).
    All,
    /// These; empty is none.
    Only(Vec<IpNet>),
}

/// Everything that decides the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Inbound ports to capture; default all.
    pub inbound_ports: Ports,
    /// Inbound ports to leave alone, beside the proxy's own.
    pub inbound_ports_exclude: Vec<u16>,
    /// Outbound ports to capture whatever the address; default none.
    pub outbound_ports: Vec<u16>,
    /// Outbound ports to leave alone.
    pub outbound_ports_exclude: Vec<u16>,
    /// Outbound addresses to capture; default all.
    pub outbound_ranges: Ranges,
    /// Outbound addresses to leave alone.
    pub outbound_ranges_exclude: Vec<IpNet>,
    /// The proxy's user, whose connections are not captured.
    pub proxy_uid: u32,
    /// The proxy's group, whose connections are not captured.
    pub proxy_gid: u32,
    /// Send DNS queries to the proxy.
    pub dns_capture: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            inbound_ports: Ports::All,
            inbound_ports_exclude: Vec::new(),
            outbound_ports: Vec::new(),
            outbound_ports_exclude: Vec::new(),
            outbound_ranges: Ranges::All,
            outbound_ranges_exclude: Vec::new(),
            proxy_uid: PROXY_ID,
            proxy_gid: PROXY_ID,
            dns_capture: false,
        }
    }
}

/// A setting that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} has `{text}`, which is not {expected}")]
pub struct Invalid {
    variable: &'static str,
    text: String,
    expected: &'static str,
}

impl Settings {
    /// Reads the variables of `weft-proxy init` through `lookup`. Absent ones have their defaults;
    /// lists are separated by commas, and an include list that is present but empty means nothing.
    ///
    /// # Errors
    /// The variable and the part of it that cannot be read.
    pub fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, Invalid> {
        let list = |variable| lookup(variable).unwrap_or_default();
        let all = |variable| lookup(variable).unwrap_or_else(|| "*".to_owned());
        let inbound = all("WEFT_INBOUND_PORTS_INCLUDE");
        let outbound = all("WEFT_OUTBOUND_RANGES_INCLUDE");
        Ok(Self {
            inbound_ports: match inbound.trim() {
                "*" => Ports::All,
                some => Ports::Only(ports("WEFT_INBOUND_PORTS_INCLUDE", some)?),
            },
            inbound_ports_exclude: ports(
                "WEFT_INBOUND_PORTS_EXCLUDE",
                &list("WEFT_INBOUND_PORTS_EXCLUDE"),
            )?,
            outbound_ports: ports(
                "WEFT_OUTBOUND_PORTS_INCLUDE",
                &list("WEFT_OUTBOUND_PORTS_INCLUDE"),
            )?,
            outbound_ports_exclude: ports(
                "WEFT_OUTBOUND_PORTS_EXCLUDE",
                &list("WEFT_OUTBOUND_PORTS_EXCLUDE"),
            )?,
            outbound_ranges: match outbound.trim() {
                "*" => Ranges::All,
                some => Ranges::Only(ranges("WEFT_OUTBOUND_RANGES_INCLUDE", some)?),
            },
            outbound_ranges_exclude: ranges(
                "WEFT_OUTBOUND_RANGES_EXCLUDE",
                &list("WEFT_OUTBOUND_RANGES_EXCLUDE"),
            )?,
            proxy_uid: id("WEFT_PROXY_UID", &list("WEFT_PROXY_UID"))?,
            proxy_gid: id("WEFT_PROXY_GID", &list("WEFT_PROXY_GID"))?,
            dns_capture: flag("WEFT_DNS_CAPTURE", &list("WEFT_DNS_CAPTURE"))?,
        })
    }
}

fn ports(variable: &'static str, text: &str) -> Result<Vec<u16>, Invalid> {
    parts(text)
        .map(|part| parsed(variable, part, "a port from 1 to 65535"))
        .collect()
}

fn ranges(variable: &'static str, text: &str) -> Result<Vec<IpNet>, Invalid> {
    let range = |part: &str| match part.parse::<IpAddr>() {
        Ok(address) => Ok(address.into()),
        Err(_) => parsed(variable, part, "a range such as 10.0.0.0/8 or fd00::/8"),
    };
    parts(text).map(range).collect()
}

fn id(variable: &'static str, text: &str) -> Result<u32, Invalid> {
    match text.trim() {
        "" => Ok(PROXY_ID),
        some => parsed(variable, some, "a number"),
    }
}

fn flag(variable: &'static str, text: &str) -> Result<bool, Invalid> {
    match text.trim() {
        "" => Ok(false),
        some => parsed(variable, some, "`true` or `false`"),
    }
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

fn parsed<T: FromStr>(
    variable: &'static str,
    text: &str,
    expected: &'static str,
) -> Result<T, Invalid> {
    text.parse().map_err(|_| Invalid {
        variable,
        text: text.to_owned(),
        expected,
    })
}
