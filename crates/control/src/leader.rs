//! Which replica writes: the holder of the Lease `weft-control`. Serving needs no leader.

use anyhow::Result;
use kube::Client;
use kube_lease_manager::LeaseManagerBuilder;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Name of the Lease.
const LEASE: &str = "weft-control";
/// How long a leader that is gone is waited for, and how long before that it renews; seconds.
const LIFE: (u64, u64) = (30, 10);
/// Between attempts while the API server is away.
const RETRY: Duration = Duration::from_secs(5);
/// Giving the Lease back is a courtesy that a shutdown does not wait long for.
const GOODBYE: Duration = Duration::from_secs(2);

/// Where the Lease is, and who wants it.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Namespace of the control plane.
    pub namespace: String,
    /// Name of this replica's pod.
    pub pod: String,
}

/// Competes for the Lease until `stop`, and tells `leading` how that goes.
pub async fn run(
    client: Client,
    candidate: Candidate,
    leading: watch::Sender<bool>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        if let Err(error) = compete(&client, &candidate, &leading, &stop).await {
            tracing::warn!(%error, "the Lease cannot be had; statuses wait");
        }
        leading.send_replace(false);
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Until `stop`, or until the Lease's task has ended.
async fn compete(
    client: &Client,
    candidate: &Candidate,
    leading: &watch::Sender<bool>,
    stop: &CancellationToken,
) -> Result<()> {
    let (life, grace) = LIFE;
    let lease = LeaseManagerBuilder::new(client.clone(), LEASE)
        .with_namespace(&candidate.namespace)
        .with_identity(&candidate.pod)
        .with_duration(life)
        .with_grace(grace)
        .build()
        .await?;
    let (mut held, task) = lease.watch().await;
    loop {
        let leads = *held.borrow_and_update();
        if leading.send_if_modified(|old| std::mem::replace(old, leads) != leads) {
            tracing::info!(leads, "leadership changed");
        }
        tokio::select! {
            changed = held.changed() => if changed.is_err() { break },
            () = stop.cancelled() => break,
        }
    }
    // The task gives the Lease back when nobody listens any more.
    drop(held);
    match tokio::time::timeout(GOODBYE, task).await {
        Ok(ended) => ended?.map(drop).map_err(Into::into),
        Err(_) => Ok(()),
    }
}
