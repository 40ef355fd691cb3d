//! Policy: the RBAC filter. Source: Envoy `RBAC`.

use super::{Flight, own};
use crate::config::{HttpFilterOverride, Rbac};
use crate::data::admit::{self, Facts, Verdict};
use crate::data::http::local::Local;

/// Name under which routes change the filter.
const NAME: &str = "envoy.filters.http.rbac";

/// Answers a request that the policy refuses.
pub(super) fn check(flight: &Flight<'_>, rbac: &Rbac) -> Option<Local> {
    let rbac = in_force(flight, rbac)?;
    let down = flight.down;
    let facts = Facts::http(&down.conn, &flight.request, down.hcm.use_remote_address);
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
