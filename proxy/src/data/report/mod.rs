//! Counting and logging what the data path did. Fails open: a full queue drops a line, never a byte
//! of traffic.
//!
//! Each worker counts into numbers of its own through a [`Recorder`]; [`Metrics`] adds all workers
//! up when somebody asks. A label set is turned into text once, at its first use.

mod count;
mod envoy;
mod flags;
mod labels;
mod log;
mod metadata;
mod recorder;
mod series;
mod text;

pub use count::{Count, Histogram};
pub use envoy::{ClusterStats, HttpStats, ListenerStats, TcpStats};
pub use flags::{Flag, Flags};
pub use labels::{Labels, Protocol, Side, Workload};
pub use log::{BadTemplate, HttpRecord, Record, Template, UpstreamRecord};
pub use recorder::Recorder;
pub use series::{Finished, MessageSeries, RequestSeries, TcpSeries};

use envoy::{GroupSum, Groups};
use log::Logs;
use series::{Standard, StandardSum};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use text::Page;

/// Everything that all workers count, and the access logs that they write.
#[derive(Debug, Default)]
pub struct Metrics {
    own: Workload,
    shards: Mutex<Vec<Arc<Shard>>>,
    logs: Logs,
}

/// One worker's numbers. Its locks are taken when a series is made and when somebody reads.
#[derive(Debug, Default)]
struct Shard {
    standard: Standard,
    clusters: Groups<ClusterStats>,
    listeners: Groups<ListenerStats>,
    http: Groups<HttpStats>,
    tcp: Groups<TcpStats>,
}

impl Metrics {
    /// The metrics of a proxy that stands beside `own`.
    pub fn new(own: Workload) -> Arc<Self> {
        Arc::new(Self {
            own,
            ..Self::default()
        })
    }

    /// The workload that this proxy stands beside.
    pub fn own(&self) -> &Workload {
        &self.own
    }

    /// All series in the Prometheus text format: Istio's standard ones, then Envoy's.
    pub fn prometheus(&self) -> String {
        let shards = self.shards();
        let mut standard = StandardSum::default();
        for shard in &shards {
            standard.add(&shard.standard);
        }
        let mut page = Page::default();
        standard.print(&mut page);
        GroupSum::of(shards.iter().map(|shard| &shard.clusters)).print(&mut page);
        GroupSum::of(shards.iter().map(|shard| &shard.listeners)).print(&mut page);
        GroupSum::of(shards.iter().map(|shard| &shard.http)).print(&mut page);
        GroupSum::of(shards.iter().map(|shard| &shard.tcp)).print(&mut page);
        page.into_text()
    }

    /// Envoy's statistics by name, for `/stats`.
    pub fn stats(&self) -> BTreeMap<String, u64> {
        let shards = self.shards();
        let mut all = BTreeMap::new();
        GroupSum::of(shards.iter().map(|shard| &shard.clusters)).list(&mut all);
        GroupSum::of(shards.iter().map(|shard| &shard.listeners)).list(&mut all);
        GroupSum::of(shards.iter().map(|shard| &shard.http)).list(&mut all);
        GroupSum::of(shards.iter().map(|shard| &shard.tcp)).list(&mut all);
        all.insert(
            "access_log_file.write_dropped".to_owned(),
            self.logs.dropped(),
        );
        all
    }

    /// Writes out what access logs hold and closes them; for the end of the program.
    pub fn close_logs(&self) {
        self.logs.close();
    }

    fn shard(&self) -> Arc<Shard> {
        let shard = Arc::default();
        let mut shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        shards.push(Arc::clone(&shard));
        shard
    }

    fn shards(&self) -> Vec<Arc<Shard>> {
        self.shards
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[cfg(test)]
mod tests;
