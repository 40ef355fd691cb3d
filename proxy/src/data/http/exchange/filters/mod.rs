//! The HTTP filters before the router, in the manager's order. Each lets the request go on or
//! answers it; what a filter adds to the response, whoever gives it, goes to `Flight::promised`.

mod cors;
mod fault;
mod limit;
mod policy;

use super::Flight;
use crate::config::{HttpFilter, HttpFilterOverride};
use crate::data::http::local::Local;
use rand::Rng;

/// Passes the request through the filters; an answer ends its way.
pub(super) async fn run(flight: &mut Flight<'_>) -> Option<Local> {
    let down = flight.down;
    for filter in &down.hcm.filters {
        let answer = match filter {
            HttpFilter::Rbac(rbac) => policy::check(flight, rbac),
            HttpFilter::Fault(fault) => fault::inject(flight, fault).await,
            HttpFilter::Cors => cors::check(flight),
            HttpFilter::LocalRateLimit(limit) => limit::check(flight, limit),
            // These never answer: the exchange keeps peers and books itself.
            HttpFilter::PeerMetadata | HttpFilter::IstioStats => None,
        };
        if answer.is_some() {
            return answer;
        }
    }
    None
}

/// What the route, else its virtual host, else its table says of the filter that is called `name`.
fn own<'a>(flight: &'a Flight<'_>, name: &str) -> Option<&'a HttpFilterOverride> {
    all(flight, name).next()
}

/// What route, virtual host and table say of that filter, the nearest first.
fn all<'a>(
    flight: &'a Flight<'_>,
    name: &str,
) -> impl Iterator<Item = &'a HttpFilterOverride> + use<'a> {
    let matched = flight.matched.as_ref();
    let found = matched.map(|matched| {
        [
            matched.route.overrides.get(name),
            matched.host.overrides.get(name),
            matched.table.config.overrides.get(name),
        ]
    });
    found.into_iter().flatten().flatten()
}

/// Whether a request belongs to a share in millionths.
pub(super) fn falls_in(per_million: u32) -> bool {
    match per_million {
        0 => false,
        1_000_000.. => true,
        share => rand::rng().random_range(0..1_000_000) < share,
    }
}
