//! What the injector knows of the cluster: its settings and the labels of all namespaces.
//!
//! Both are watched and kept, so that a review needs no call and works while the API server's watch
//! is broken. Must never forget settings that worked: broken ones are reported and not taken.

mod settings;

use crate::Namespace;
use crate::metrics::Metrics;
use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace as KubeNamespace};
use kube::api::Api;
use kube::core::PartialObjectMeta;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::reflector::{self, ObjectRef, Store, store::Writer};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Resource};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use weft_api::injection::InjectionSettings;

pub use settings::{InvalidSettings, SETTINGS, read as read_settings};

type NamespaceMeta = PartialObjectMeta<KubeNamespace>;

/// How long a review waits for the API server where the cache may be behind.
const ASK_LIMIT: Duration = Duration::from_secs(1);

/// The injector's view of the cluster.
#[derive(Debug)]
pub struct World {
    settings: RwLock<Option<Arc<InjectionSettings>>>,
    namespaces: Store<NamespaceMeta>,
    /// `Some` where namespaces that the cache does not have can be asked for.
    fresh: Option<Fresh>,
}

/// A client; it has no `Debug` of its own.
struct Fresh(Client);

impl std::fmt::Debug for Fresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fresh")
    }
}

impl World {
    /// A world that only knows what it is told.
    pub fn new(settings: Option<InjectionSettings>, namespaces: Store<NamespaceMeta>) -> Self {
        Self {
            settings: RwLock::new(settings.map(Arc::new)),
            namespaces,
            fresh: None,
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
        let Fresh(client) = self.fresh.as_ref()?;
        let api = Api::<KubeNamespace>::all(client.clone());
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
    mesh_namespace: String,
    namespaces: Writer<NamespaceMeta>,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Watches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watches")
            .field("mesh_namespace", &self.mesh_namespace)
            .finish_non_exhaustive()
    }
}

/// A world that the returned watches keep up to date.
pub fn world(client: Client, mesh_namespace: &str, metrics: Arc<Metrics>) -> (Arc<World>, Watches) {
    let (store, writer) = reflector::store();
    let mut world = World::new(None, store);
    world.fresh = Some(Fresh(client.clone()));
    let watches = Watches {
        client,
        mesh_namespace: mesh_namespace.to_owned(),
        namespaces: writer,
        metrics,
    };
    (Arc::new(world), watches)
}

impl Watches {
    /// Runs until dropped; a broken watch is taken up again with back-off.
    pub async fn run(self, world: Arc<World>) {
        let namespaces = Api::<NamespaceMeta>::all(self.client.clone());
        let labels = watcher(namespaces, watcher::Config::default())
            .default_backoff()
            .reflect(self.namespaces)
            .for_each(|event| async { log_broken("namespaces", event) });
        let api = Api::<ConfigMap>::namespaced(self.client.clone(), &self.mesh_namespace);
        let (store, writer) = reflector::store();
        let maps = watcher(api, watcher::Config::default())
            .default_backoff()
            .reflect(writer);
        let recorder = Recorder::new(self.client, Reporter::from("weft-injector"));
        let changes = Changes {
            world,
            store,
            recorder,
            metrics: self.metrics,
        };
        tokio::join!(labels, changes.follow(maps));
    }
}

fn log_broken<T>(what: &str, event: Result<T, watcher::Error>) {
    if let Err(e) = event {
        tracing::warn!(
            "the watch of {what} is broken and is tried again; the last known are used: {e}"
        );
    }
}

/// Turns changes of ConfigMaps into settings.
struct Changes {
    world: Arc<World>,
    store: Store<ConfigMap>,
    recorder: Recorder,
    metrics: Arc<Metrics>,
}

impl Changes {
    async fn follow(
        self,
        events: impl Stream<Item = Result<watcher::Event<ConfigMap>, watcher::Error>>,
    ) {
        let mut events = std::pin::pin!(events);
        let mut last = None;
        loop {
            match events.try_next().await {
                Ok(None) => return,
                Ok(Some(_)) => last = self.take(last).await,
                Err(e) => log_broken::<()>("ConfigMaps", Err(e)),
            }
        }
    }

    /// Takes the settings over if they differ from `last` time, and tells so.
    async fn take(
        &self,
        last: Option<Result<InjectionSettings, InvalidSettings>>,
    ) -> Option<Result<InjectionSettings, InvalidSettings>> {
        let maps = self.store.state();
        let read = settings::read(|name| {
            maps.iter()
                .find(|m| m.metadata.name.as_deref() == Some(name))
                .map(AsRef::as_ref)
        })?;
        if last.as_ref() == Some(&read) {
            return last;
        }
        self.metrics.settings_are_valid(read.is_ok());
        match &read {
            Ok(settings) => {
                tracing::info!(revision = settings.revision, "settings read");
                self.world.set(settings.clone());
            }
            Err(invalid) => {
                tracing::warn!("{invalid}; the last valid settings stay in use");
                self.report(invalid).await;
            }
        }
        Some(read)
    }

    /// Tells the author of the ConfigMap.
    async fn report(&self, invalid: &InvalidSettings) {
        let maps = self.store.state();
        let Some(map) = maps
            .iter()
            .find(|m| m.metadata.name.as_deref() == Some(invalid.config_map()))
        else {
            return;
        };
        let event = Event {
            type_: EventType::Warning,
            reason: "TemplateInvalid".into(),
            note: Some(format!("{invalid}; the last valid settings stay in use")),
            action: "Inject".into(),
            secondary: None,
        };
        if let Err(e) = self.recorder.publish(&event, &map.object_ref(&())).await {
            tracing::warn!(
                "the event for ConfigMap {} was not taken: {e}",
                invalid.config_map()
            );
        }
    }
}
