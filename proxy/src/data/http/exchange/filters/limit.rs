//! The local rate limit. Source: Envoy `LocalRateLimit`.

use super::{Flight, falls_in, own};
use crate::config::{HttpFilterOverride, LocalRateLimit, TokenBucket};
use crate::data::http::fields::Fields;
use crate::data::http::headers::{self, Values};
use crate::data::http::local::Local;
use crate::data::report::Flag;
use std::sync::Arc;

/// Name under which routes change the filter.
const NAME: &str = "envoy.filters.http.local_ratelimit";
/// gRPC `RESOURCE_EXHAUSTED`.
const RESOURCE_EXHAUSTED: u32 = 8;

/// Takes a token; answers when there is none.
pub(super) fn check(flight: &mut Flight<'_>, limit: &Arc<LocalRateLimit>) -> Option<Local> {
    let limit = Arc::clone(in_force(flight, limit)?);
    let bucket = limit.bucket.as_ref()?;
    if !falls_in(limit.enabled_per_million) {
        return None;
    }
    let taken = bucket.take();
    if limit.headers {
        flight.promise(&fields(bucket));
    }
    let stats = &flight.down.stats;
    if taken {
        stats.rate_limit_ok.increment();
        return None;
    }
    stats.rate_limited.increment();
    falls_in(limit.enforced_per_million).then(|| refused(flight, &limit))
}

fn in_force<'a>(
    flight: &'a Flight<'_>,
    limit: &'a Arc<LocalRateLimit>,
) -> Option<&'a Arc<LocalRateLimit>> {
    match own(flight, NAME) {
        Some(HttpFilterOverride::LocalRateLimit(own)) => Some(own),
        Some(HttpFilterOverride::Disabled) => None,
        Some(
            HttpFilterOverride::Cors(_)
            | HttpFilterOverride::Rbac(_)
            | HttpFilterOverride::Fault(_),
        )
        | None => Some(limit),
    }
}

/// Draft `x-ratelimit-*`, version 3.
fn fields(bucket: &TokenBucket) -> Fields {
    let left = bucket.left();
    let [limit, remaining, reset] = [
        bucket.size(),
        left.tokens,
        left.next_fill.as_secs_f64().ceil() as u32,
    ]
    .map(|n| n.to_string());
    [
        ("x-ratelimit-limit", limit.as_str()),
        ("x-ratelimit-remaining", &remaining),
        ("x-ratelimit-reset", &reset),
    ]
    .into_iter()
    .collect()
}

/// As Envoy answers.
fn refused(flight: &Flight<'_>, limit: &LocalRateLimit) -> Local {
    let text = "local_rate_limited";
    let mut local = Local::new(limit.status, text, text).flagged(Flag::RateLimited);
    local.grpc_status = limit.resource_exhausted.then_some(RESOURCE_EXHAUSTED);
    let values = Values {
        conn: &flight.down.conn,
        request: Some(&flight.request),
        status: Some(limit.status),
    };
    headers::apply(&limit.response, &mut local.fields, &values);
    local
}
