//! The control plane: discovery and the CA in one process.
//!
//! collect → debounce → publish → serve → status. Flows in: watch events of the API server, streams of
//! proxies. Flows out: xDS, certificates, conditions
//! on faulty objects. Must never decide what a proxy is told: that is `model` and
//! `translate`, which know no I/O.

pub mod settings;

pub mod collect;
pub mod debounce;
pub mod publish;

pub mod authority;
pub mod serve;

pub mod leader;
pub mod status;

pub mod histogram;
pub mod monitoring;

use anyhow::{Context, Result};
use publish::{Clients, Published};
use serve::{AdsSource, Ca, Counts, Identities, Services};
use settings::Settings;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Runs until `stop`, then lets open streams end.
///
/// # Errors
/// When there is no Kubernetes configuration, or an address cannot be bound.
pub async fn run(settings: Settings, stop: CancellationToken) -> Result<()> {
    let client = kube::Client::try_default()
        .await
        .context("no Kubernetes; run in a pod, or set KUBECONFIG")?;
    let (watches, knowledge) = collect::start(&client, &settings.namespace);
    let clients = Arc::new(Clients::default());
    let counts = Arc::new(Counts::default());
    let (published, latest) = watch::channel(Published::default());
    let (stopping, stopped) = watch::channel(false);
    let authorities = authority::Authorities::new(client.clone());
    let identities = Identities::new(knowledge.clone(), &settings.namespace);
    let ca = Ca {
        authorities: authorities.clone(),
        identities: identities.clone(),
        knowledge: knowledge.clone(),
        answers: serve::Answers::default(),
    };
    let services = Services {
        ca: ca.clone(),
        ads: AdsSource {
            clients: Arc::clone(&clients),
            counts: Arc::clone(&counts),
        },
        identities: identities.clone(),
        clients: Arc::clone(&clients),
    };
    let monitored = monitoring::Monitored {
        knowledge: knowledge.clone(),
        published: latest.clone(),
        clients: Arc::clone(&clients),
        counts,
        ca,
        identities,
    };
    let mut background = JoinSet::new();
    background.spawn(authorities.run(stopped));
    background.spawn(publish::run(knowledge, clients, published));
    let (leading, leads) = watch::channel(false);
    background.spawn(status::run(client.clone(), leads, latest));
    let candidate = leader::Candidate {
        namespace: settings.namespace,
        pod: settings.pod,
    };
    let leader = tokio::spawn(leader::run(client, candidate, leading, stop.clone()));
    let served = tokio::try_join!(
        serve::run(settings.listen, services, stop.clone()),
        monitoring::run(settings.monitoring, monitored, stop.clone()),
    );
    stop.cancel();
    leader.await.context("give the Lease back")?;
    // Watches and background tasks end with their sets, here.
    drop((stopping, background, watches));
    served.map(drop)
}
