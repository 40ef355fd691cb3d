//! What one worker does for all: resolving names, probing hosts, ending ejections.
//!
//! One task for each cluster and chore, begun and aborted as the configuration changes.

mod dns;
mod probe;

use super::outlier;
use super::state::{ClusterState, Registry};
use crate::config::{Cluster, Config, Discovery, Outlier};
use crate::data::worker::Worker;
use hickory_resolver::TokioResolver;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use tokio::task::AbortHandle;

/// The chores of every cluster that has some.
#[derive(Default)]
pub struct Upkeep {
    running: HashMap<Arc<str>, Chores>,
    resolver: OnceCell<Option<TokioResolver>>,
}

/// The tasks of one cluster; dropping it ends them.
struct Chores {
    cluster: Arc<Cluster>,
    tasks: Vec<AbortHandle>,
}

impl Drop for Chores {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl std::fmt::Debug for Upkeep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.running.keys()).finish()
    }
}

impl Upkeep {
    /// Begins and ends chores, so that they are those of `config`. Must run in a `LocalSet`.
    pub fn apply(&mut self, config: &Config, worker: &Rc<Worker>, registry: &Registry) {
        let same = |name: &Arc<str>, chores: &Chores| {
            config
                .clusters
                .get(name)
                .is_some_and(|cluster| *cluster == chores.cluster)
        };
        self.running.retain(|name, chores| same(name, chores));
        for (name, cluster) in &config.clusters {
            if !self.running.contains_key(name) {
                let tasks = self.begin(cluster, worker, &registry.cluster(name));
                if !tasks.is_empty() {
                    let chores = Chores {
                        cluster: Arc::clone(cluster),
                        tasks,
                    };
                    self.running.insert(Arc::clone(name), chores);
                }
            }
        }
        registry.retain(|name| config.clusters.contains_key(name));
    }

    fn begin(
        &self,
        cluster: &Arc<Cluster>,
        worker: &Rc<Worker>,
        shared: &Arc<ClusterState>,
    ) -> Vec<AbortHandle> {
        let mut tasks = Vec::new();
        if let Some(outlier) = cluster.outlier {
            let sweeps = sweep(outlier, Arc::clone(shared));
            tasks.push(tokio::task::spawn_local(sweeps).abort_handle());
        }
        match self.resolver(cluster) {
            Some(resolver) => {
                let resolving = dns::keep(resolver, Arc::clone(cluster), Arc::clone(shared));
                tasks.push(tokio::task::spawn_local(resolving).abort_handle());
            }
            None => shared.asked(),
        }
        if let Some(check) = cluster.health_checks.first() {
            let probing = probe::keep(
                Rc::clone(worker),
                Arc::clone(cluster),
                check.clone(),
                Arc::clone(shared),
            );
            tasks.push(tokio::task::spawn_local(probing).abort_handle());
        }
        tasks
    }

    /// The system's resolver, made at its first use; `None` for clusters that resolve nothing.
    fn resolver(&self, cluster: &Cluster) -> Option<TokioResolver> {
        match cluster.discovery {
            Discovery::StrictDns(_) | Discovery::LogicalDns(_) => {
                self.resolver.get_or_init(dns::system).clone()
            }
            Discovery::Static(_) | Discovery::Eds(_) | Discovery::OriginalDst => None,
        }
    }
}

async fn sweep(settings: Outlier, shared: Arc<ClusterState>) {
    loop {
        tokio::time::sleep(settings.interval).await;
        outlier::sweep(&settings, &shared);
    }
}
