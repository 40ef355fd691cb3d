//! Faults that are injected on purpose. Source: Envoy `HTTPFault`.

use super::{Flight, falls_in, own};
use crate::config::{Abort, Fault, HttpFilterOverride};
use crate::data::http::local::Local;
use crate::data::report::Flag;
use std::sync::Arc;
use tokio::time::sleep;

/// Name under which routes change the filter.
const NAME: &str = "envoy.filters.http.fault";

/// Delays the request, then perhaps answers it.
pub(super) async fn inject(flight: &mut Flight<'_>, fault: &Arc<Fault>) -> Option<Local> {
    let fault = Arc::clone(in_force(flight, fault)?);
    let stats = &flight.down.stats;
    if let Some((_, delay)) = fault.delay.filter(|(share, _)| falls_in(*share)) {
        flight.record.flags.add(Flag::DelayInjected);
        stats.delays_injected.increment();
        sleep(delay).await;
    }
    let (_, abort) = fault.abort.filter(|(share, _)| falls_in(*share))?;
    stats.aborts_injected.increment();
    Some(aborted(abort))
}

fn in_force<'a>(flight: &'a Flight<'_>, fault: &'a Arc<Fault>) -> Option<&'a Arc<Fault>> {
    match own(flight, NAME) {
        Some(HttpFilterOverride::Fault(own)) => Some(own),
        Some(HttpFilterOverride::Disabled) => None,
        Some(
            HttpFilterOverride::Cors(_)
            | HttpFilterOverride::Rbac(_)
            | HttpFilterOverride::LocalRateLimit(_),
        )
        | None => Some(fault),
    }
}

/// As Envoy answers; a gRPC status alone comes with HTTP's 200.
fn aborted(abort: Abort) -> Local {
    let text = "fault filter abort";
    let local = match abort {
        Abort::Http(status) => Local::new(status, text, "fault_filter_abort"),
        Abort::Grpc(status) => Local {
            grpc_status: Some(status),
            ..Local::new(200, text, "fault_filter_abort")
        },
    };
    local.flagged(Flag::FaultInjected)
}
