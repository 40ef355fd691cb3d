//! Retry policies.

use super::fault::{each, unsupported};
use super::value::{duration, number, status, unpack};
use super::{At, Fault, Outcome};
use crate::config::{Retry, RetryOn};
use std::time::Duration;
use weft_proto::pb::envoy::config::route::v3::{RetryPolicy, retry_policy};
use weft_proto::pb::envoy::extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig;

/// Envoy's default of `retry_back_off.base_interval`.
const BACK_OFF: Duration = Duration::from_millis(25);

pub(super) fn policy(from: &RetryPolicy) -> Outcome<Retry> {
    unsupported(&[
        ("per_try_idle_timeout", from.per_try_idle_timeout.is_some()),
        (
            "retry_options_predicates",
            !from.retry_options_predicates.is_empty(),
        ),
        (
            "rate_limited_retry_back_off",
            from.rate_limited_retry_back_off.is_some(),
        ),
        ("retriable_headers", !from.retriable_headers.is_empty()),
        (
            "retriable_request_headers",
            !from.retriable_request_headers.is_empty(),
        ),
        ("refresh_cluster_on_retry", from.refresh_cluster_on_retry),
    ])?;
    let back_off = from.retry_back_off.unwrap_or_default();
    let base = duration("base_interval", back_off.base_interval.as_ref())?.unwrap_or(BACK_OFF);
    let longest = duration("max_interval", back_off.max_interval.as_ref())?;
    let per_try = duration("per_try_timeout", from.per_try_timeout.as_ref())?;
    let predicates = &from.retry_host_predicate;
    Ok(Retry {
        on: RetryOn::parse(&from.retry_on),
        attempts: number(from.num_retries.as_ref(), 1),
        per_try_timeout: per_try.filter(|limit| !limit.is_zero()),
        status_codes: each(
            "retriable_status_codes",
            &from.retriable_status_codes,
            |code| status(*code),
        )?,
        base_interval: base,
        max_interval: longest.unwrap_or(base * 10),
        host_selection_attempts: u32::try_from(from.host_selection_retry_max_attempts.max(1))
            .unwrap_or(u32::MAX),
        leave_priorities_after: from.retry_priority.as_ref().map(priorities).transpose()?,
        avoid_previous_hosts: !each("retry_host_predicate", predicates, predicate)?.is_empty(),
    })
}

fn predicate(from: &retry_policy::RetryHostPredicate) -> Outcome<()> {
    match from.name.as_str() {
        "envoy.retry_host_predicates.previous_hosts" => Ok(()),
        other => Err(Fault::new(format!(
            "the predicate `{other}` is unknown here"
        ))),
    }
}

/// Tries after which the priorities of tried hosts are left.
fn priorities(from: &retry_policy::RetryPriority) -> Outcome<u32> {
    use retry_policy::retry_priority::ConfigType;
    let config = from.config_type.as_ref();
    let decoded = match (from.name.as_str(), config) {
        ("envoy.retry_priorities.previous_priorities", Some(ConfigType::TypedConfig(any))) => {
            unpack::<PreviousPrioritiesConfig>(any)
        }
        (other, _) => Err(Fault::new(format!("`{other}` is unknown here"))),
    };
    let every = decoded.at("retry_priority")?.update_frequency;
    Ok(u32::try_from(every).unwrap_or(1).max(1))
}
