//! Policy: the RBAC filter. Source: Envoy `RBAC`.

use super::{Flight, own};
use crate::config::{Hcm, HttpFilterOverride, Rbac};
use crate::data::admit::{self, Facts, Verdict};
use crate::data::conn::ConnInfo;
use crate::data::http::head::Request;
use crate::data::http::local::Local;
use std::net::IpAddr;

/// Name under which routes change the filter.
const NAME: &str = "envoy.filters.http.rbac";

/// Answers a request that the policy refuses.
pub(super) fn check(flight: &Flight<'_>, rbac: &Rbac) -> Option<Local> {
    let rbac = in_force(flight, rbac)?;
    let conn = &flight.down.conn;
    let client = client(&flight.down.hcm, conn, &flight.request);
    let facts = Facts::http(conn, &flight.request, client);
    let decision = admit::decide(rbac, &facts);
    count(flight, &decision);
    (!decision.verdict.passes()).then(|| denied(&decision.verdict))
}

/// The route's own policy, else the virtual host's, else the filter's.
fn in_force<'a>(flight: &'a Flight<'_>, rbac: &'a Rbac) -> Option<&'a Rbac> {
    match own(flight, NAME) {
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
