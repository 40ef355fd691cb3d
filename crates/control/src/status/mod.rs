//! Faults, shown on the objects that have them: condition `Accepted` of their status; and the
//! addresses that ServiceEntries were given.
//!
//! Flows in: the problems of the latest rebuild. Flows out: server-side applies of that one condition,
//! by the leader only, and only where what is shown differs from what is true; a settled cluster gets
//! no writes. An object without faults has no condition.

mod addresses;
mod decide;
mod write;

pub use decide::{Verdict, plan, verdicts};

use crate::publish::Published;
use kube::Client;
use std::time::Duration;
use tokio::sync::watch;
use write::Writer;

/// Between attempts while the API server is away.
const RETRY: Duration = Duration::from_secs(5);

/// Writes while `leading` is true, until one of the channels ends.
pub async fn run(
    client: Client,
    mut leading: watch::Receiver<bool>,
    mut published: watch::Receiver<Published>,
) {
    let writer = Writer::new(client);
    while leading.wait_for(|leads| *leads).await.is_ok() {
        if published
            .wait_for(|latest| latest.generation > 0)
            .await
            .is_err()
        {
            return;
        }
        tokio::select! {
            ended = lead(&writer, &mut published) => if ended.is_none() { return },
            changed = leading.changed() => if changed.is_err() { return },
        }
    }
}

/// One time of leadership; `None` when nothing will be published any more.
async fn lead(writer: &Writer, published: &mut watch::Receiver<Published>) -> Option<()> {
    let (mut shown, mut given) = loop {
        let given = addresses::shown(writer.client());
        match tokio::try_join!(writer.shown(), given) {
            Ok(shown) => break shown,
            Err(error) => tracing::warn!(%error, "conditions cannot be read; trying again"),
        }
        tokio::time::sleep(RETRY).await;
    };
    loop {
        let latest = published.borrow_and_update().clone();
        let wanted = verdicts(&latest.problems, &latest.generations);
        let changes = plan(&shown, &wanted, jiff::Timestamp::now());
        let conditions = writer.apply(changes, &mut shown).await;
        let changes = addresses::plan(&given, &addresses::wanted(&latest.snapshot));
        let settled = addresses::write(writer.client(), changes, &mut given).await && conditions;
        tokio::select! {
            changed = published.changed() => changed.ok()?,
            () = tokio::time::sleep(RETRY), if !settled => {}
        }
    }
}
