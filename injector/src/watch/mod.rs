//! What the injector knows of the cluster: its settings, its certificate, the labels of namespaces.
//!
//! All are watched and kept, so that a review needs no call and works while the API server's watch
//! is broken. Must never forget settings that worked: broken ones are reported and not taken.

mod changes;
pub mod settings;

use crate::Namespace;
use crate::admission::tls::Certificate;
use crate::metrics::Metrics;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace as KubeNamespace;
use kube::Client;
use kube::api::Api;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{self, ObjectRef, Store, store::Writer};
use kube::runtime::{WatchStreamExt, watcher};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use weft_api::injection::InjectionSettings;

type NamespaceMeta = PartialObjectMeta<KubeNamespace>;

/// How long a review waits for the API server where the cache may be behind.
const ASK_LIMIT: Duration = Duration::from_secs(1);

/// The injector's view of the cluster.
pub struct World {
    settings: RwLock<Option<Arc<InjectionSettings>>>,
    namespaces: Store<NamespaceMeta>,
    /// `Some` where namespaces that the cache does not have can be asked for.
    client: Option<Client>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl World {
    /// A world that only knows what it is told.
    pub fn new(settings: Option<InjectionSettings>, namespaces: Store<NamespaceMeta>) -> Self {
        Self {
            settings: RwLock::new(settings.map(Arc::new)),
            namespaces,
            client: None,
        }
    }

    /// The settings; `None` until they have been read once.
    pub fn settings(&self) -> Option<Arc<InjectionSettings>> {
        self.settings
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A namespace as the cache has it; one that it does not have counts as one without labels.
    pub fn namespace(&self, name: &str) -> Namespace {
        let known = self.namespaces.get(&ObjectRef::new(name));
        let labels = known.and_then(|namespace| namespace.metadata.labels.clone());
        Namespace {
            name: name.to_owned(),
            labels: labels.unwrap_or_default(),
        }
    }

    /// A namespace as the API server has it; `None` where it does not answer in time. For the rare
    /// pod whose namespace was made or labelled a moment ago.
    pub async fn fresh_namespace(&self, name: &str) -> Option<Namespace> {
        let api = Api::<KubeNamespace>::all(self.client.clone()?);
        let found = tokio::time::timeout(ASK_LIMIT, api.get_metadata(name))
            .await
            .ok()?
            .ok()?;
        let labels = found.metadata.labels.unwrap_or_default();
        Some(Namespace {
            name: name.to_owned(),
            labels,
        })
    }

    fn set(&self, settings: InjectionSettings) {
        *self
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(settings));
    }
}

/// The watches, to be run.
pub struct Watches {
    client: Client,
    world: Arc<World>,
    namespaces: Writer<NamespaceMeta>,
}

impl std::fmt::Debug for Watches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watches").finish_non_exhaustive()
    }
}

/// A world that the returned watches keep up to date.
pub fn world(client: Client) -> (Arc<World>, Watches) {
    let (store, namespaces) = reflector::store();
    let mut world = World::new(None, store);
    world.client = Some(client.clone());
    let world = Arc::new(world);
    (
        world.clone(),
        Watches {
            client,
            world,
            namespaces,
        },
    )
}

impl Watches {
    /// Runs until dropped, with the mesh in `namespace`; a broken watch is taken up again with
    /// back-off.
    pub async fn run(
        self,
        namespace: String,
        certificate: Arc<Certificate>,
        metrics: Arc<Metrics>,
    ) {
        let all = Api::<NamespaceMeta>::all(self.client.clone());
        let labels = watcher(all, watcher::Config::default())
            .default_backoff()
            .reflect(self.namespaces)
            .for_each(|event| async {
                if let Err(e) = event {
                    log_broken("namespaces", &e);
                }
            });
        let settings = changes::Settings::new(self.client.clone(), &namespace, self.world, metrics);
        let certificate = changes::follow_certificate(self.client, &namespace, certificate);
        tokio::join!(labels, settings.follow(), certificate);
    }
}

fn log_broken(what: &str, e: &watcher::Error) {
    tracing::warn!(
        "the watch of {what} is broken and is tried again; what is known stays in use: {e}"
    );
}
