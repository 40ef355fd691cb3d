//! Waiting for a cluster to come round.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep};

/// So many seconds.
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Asks again until the answer is good, or fails with the last bad one.
///
/// # Errors
/// The last answer's fault, when the time is over.
pub async fn eventually<T, F>(limit: Duration, mut ask: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let end = Instant::now() + limit;
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(fault) if Instant::now() >= end => {
                return Err(fault).with_context(|| format!("still so after {limit:?}"));
            }
            Err(_) => sleep(Duration::from_millis(200)).await,
        }
    }
}
