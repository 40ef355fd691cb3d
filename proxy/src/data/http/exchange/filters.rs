//! The HTTP filters before the router that can refuse a request: policy.

use super::Flight;
use crate::config::{Hcm, HttpFilter, HttpFilterOverride, Rbac};
use crate::data::admit::{self, Facts, Verdict};
use crate::data::conn::ConnInfo;
use crate::data::http::head::Request;
use crate::data::http::local::Local;
use std::net::IpAddr;

/// Name under which routes change the RBAC filter.
const RBAC: &str = "envoy.filters.http.rbac";

/// An answer at once, if a policy refuses the request.
pub(super) fn refusal(flight: &Flight<'_>) -> Option<Local> {
    let hcm = &flight.down.hcm;
    let policies = hcm.filters.iter().filter_map(|filter| match filter {
        HttpFilter::Rbac(rbac) => in_force(flight, rbac),
        HttpFilter::Fault(_)
        | HttpFilter::Cors
        | HttpFilter::LocalRateLimit(_)
        | HttpFilter::PeerMetadata
        | HttpFilter::IstioStats => None,
    });
    let conn = &flight.down.conn;
    let client = client(hcm, conn, &flight.request);
    let facts = Facts::http(conn, &flight.request, client);
    for rbac in policies {
        let decision = admit::decide(rbac, &facts);
        count(flight, &decision);
        if !decision.verdict.passes() {
            return Some(denied(&decision.verdict));
        }
    }
    None
}

/// The route's own policy, else the virtual host's, else the filter's.
fn in_force<'a>(flight: &'a Flight<'_>, rbac: &'a Rbac) -> Option<&'a Rbac> {
    let matched = flight.matched.as_ref();
    let own = matched.and_then(|matched| {
        let route = matched.route.overrides.get(RBAC);
        route.or_else(|| matched.host.overrides.get(RBAC))
    });
    match own {
        Some(HttpFilterOverride::Rbac(own)) => own.as_deref(),
        Some(HttpFilterOverride::Disabled) => None,
        Some(
            HttpFilterOverride::Fault(_)
            | HttpFilterOverride::Cors(_)
            | HttpFilterOverride::LocalRateLimit(_),
        )
        | None => Some(rbac),
    }
}

/// Envoy's `remote_ip`: the peer at the edge, else the nearest address that proxies before us added.
fn client(hcm: &Hcm, conn: &ConnInfo, request: &Request) -> IpAddr {
    let peer = conn.remote.ip();
    if hcm.use_remote_address {
        return peer;
    }
    let forwarded = request.fields.joined("x-forwarded-for");
    let nearest = forwarded
        .as_ref()
        .and_then(|list| list.rsplit(',').next()?.trim().parse().ok());
    nearest.unwrap_or(peer)
}

/// As Envoy answers.
fn denied(verdict: &Verdict<'_>) -> Local {
    Local {
        details: verdict.details().into(),
        ..Local::new(403, "RBAC: access denied", "")
    }
}

fn count(flight: &Flight<'_>, decision: &admit::Decision<'_>) {
    let stats = &flight.down.stats;
    if decision.verdict.passes() {
        stats.rbac_allowed.increment();
    } else {
        stats.rbac_denied.increment();
    }
    match decision.shadow.map(|verdict| verdict.passes()) {
        Some(true) => stats.rbac_shadow_allowed.increment(),
        Some(false) => stats.rbac_shadow_denied.increment(),
        None => {}
    }
}
