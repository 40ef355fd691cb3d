//! Parsing of where routes lead to, and of shares.

use super::check::{Fault, fault, parts, port};
use super::{Destination, HeaderChanges, Weighted};
use crate::host::Host;
use weft_api::networking::http_route as api;
use weft_api::networking::virtual_service as l4;

/// Where names without dots are looked for.
pub(super) struct Place<'a> {
    pub(super) namespace: &'a str,
    pub(super) cluster_domain: &'a str,
}

/// The destinations of an HTTP route; those without weight are left out.
pub(super) fn of_requests(
    at: &str,
    of: &[api::HttpDestination],
    place: &Place,
) -> Result<Vec<Weighted>, Fault> {
    let mut all = Vec::new();
    for (index, each) in of.iter().enumerate() {
        let at = format!("{at}.route[{index}]");
        let changes = super::headers::changes(&format!("{at}.headers"), each.headers.as_ref())?;
        let to = destination(&format!("{at}.destination"), &each.destination, place)?;
        all.push((to, weight(&at, of.len(), each.weight)?, changes));
    }
    some(at, all)
}

/// The destinations of a route of connections; those without weight are left out.
pub(super) fn of_connections(
    at: &str,
    of: &[l4::L4Destination],
    place: &Place,
) -> Result<Vec<Weighted>, Fault> {
    let mut all = Vec::new();
    for (index, each) in of.iter().enumerate() {
        let at = format!("{at}.route[{index}]");
        let to = destination(&format!("{at}.destination"), &each.destination, place)?;
        let weight = weight(&at, of.len(), each.weight)?;
        all.push((to, weight, HeaderChanges::default()));
    }
    some(at, all)
}

fn some(at: &str, all: Vec<(Destination, u32, HeaderChanges)>) -> Result<Vec<Weighted>, Fault> {
    let weighted = all.into_iter().filter(|(_, weight, _)| *weight > 0);
    let weighted: Vec<_> = weighted
        .map(|(destination, weight, headers)| Weighted {
            destination,
            weight,
            headers,
        })
        .collect();
    match weighted.is_empty() {
        false => Ok(weighted),
        true => fault(
            format!("{at}.route"),
            "it has no destination with a weight",
            "give a destination a weight",
        ),
    }
}

/// A single destination gets everything, whatever its weight.
fn weight(at: &str, of: usize, stated: Option<i32>) -> Result<u32, Fault> {
    let weight = if of == 1 { 1 } else { stated.unwrap_or(0) };
    match u32::try_from(weight) {
        Ok(weight) => Ok(weight),
        Err(_) => {
            let message = format!("{weight} is not a weight");
            fault(format!("{at}.weight"), message, "use zero or more")
        }
    }
}

/// One destination.
pub(super) fn destination(
    at: &str,
    of: &l4::Destination,
    place: &Place,
) -> Result<Destination, Fault> {
    if of.host.is_empty() {
        return fault(format!("{at}.host"), "it is empty", "name a service");
    }
    let number = of.port.map(|port| port.number);
    Ok(Destination {
        host: Host::resolve(&of.host, place.namespace, place.cluster_domain),
        subset: of.subset.clone().unwrap_or_default(),
        port: number
            .map(|number| port(&format!("{at}.port.number"), number))
            .transpose()?,
    })
}

/// Where copies go, and how many in a million.
pub(super) fn mirrors(
    at: &str,
    of: &api::HttpRoute,
    place: &Place,
) -> Result<Vec<(Destination, u32)>, Fault> {
    const ALL: api::Percent = api::Percent { value: 100.0 };
    if of.mirror.is_some() && !of.mirrors.is_empty() {
        let remedy = "move mirror into mirrors";
        return fault(format!("{at}.mirror"), "mirrors is there too", remedy);
    }
    let whole = |percent: u32| api::Percent {
        value: percent.into(),
    };
    let share = of.mirror_percentage.or(of.mirror_percent.map(whole));
    let mut mirrors = Vec::new();
    if let Some(to) = &of.mirror {
        let to = destination(&format!("{at}.mirror"), to, place)?;
        let field = format!("{at}.mirrorPercentage");
        mirrors.push((to, parts(&field, share.unwrap_or(ALL))?));
    }
    for (index, each) in of.mirrors.iter().enumerate() {
        let at = format!("{at}.mirrors[{index}]");
        let to = destination(&format!("{at}.destination"), &each.destination, place)?;
        let field = format!("{at}.percentage");
        mirrors.push((to, parts(&field, each.percentage.unwrap_or(ALL))?));
    }
    Ok(mirrors)
}
