//! One replica works, the others wait: a Lease says which.

use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use tokio::sync::watch::Receiver;
use tokio::task::JoinHandle;

/// Name of the Lease, in the operator's own namespace.
const LEASE: &str = "weft-operator";

/// The attempt to lead, which goes on until it is dropped.
#[derive(Debug)]
pub struct Election {
    leads: Receiver<bool>,
    task: JoinHandle<Result<LeaseManager, LeaseManagerError>>,
}

impl Election {
    /// Takes part as `identity`.
    ///
    /// # Errors
    /// If the Lease can neither be read nor made.
    pub async fn join(
        kube: Client,
        namespace: &str,
        identity: &str,
    ) -> Result<Self, LeaseManagerError> {
        let manager = LeaseManagerBuilder::new(kube, LEASE)
            .with_namespace(namespace)
            .with_identity(identity)
            .with_field_manager("weft-operator-lease")
            .with_duration(15)
            .with_grace(5)
            .build()
            .await?;
        let (leads, task) = manager.watch().await;
        Ok(Self { leads, task })
    }

    /// Waits until this replica leads; `false` if the election has ended.
    pub async fn won(&mut self) -> bool {
        self.leads.wait_for(|leads| *leads).await.is_ok()
    }

    /// Another view of who leads, for [`lost`].
    pub fn view(&self) -> Receiver<bool> {
        self.leads.clone()
    }

    /// Gives the Lease back, so that another replica need not wait for its end.
    pub async fn resign(self) {
        drop(self.leads);
        match self.task.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the lease was not given back; it ends by itself")
            }
            Err(error) => tracing::warn!(%error, "the election ended early"),
        }
    }
}

/// Waits until the replica of `view` does not lead any more.
pub async fn lost(mut view: Receiver<bool>) {
    // An election that has ended is lost as well.
    let _ = view.wait_for(|leads| !*leads).await;
}
