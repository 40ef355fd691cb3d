//! ConfigMaps and the Secret by name, as they change: each watch asks for one object, because the
//! injector may read no others.

use super::World;
use super::settings::{self, InvalidSettings, SETTINGS};
use crate::admission::tls::Certificate;
use crate::metrics::Metrics;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::Api;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;
use weft_api::injection::InjectionSettings;

/// Name of the Secret with the webhook's certificate.
const CERTIFICATE: &str = "weft-injector-tls";

/// An object each time that it changes; `None` while it does not exist.
fn one<K>(api: Api<K>, name: &str) -> impl Stream<Item = Option<K>> + use<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let name = name.to_owned();
    watcher(api, config)
        .default_backoff()
        .scan(None, move |seen, event| {
            let change = match event {
                Ok(watcher::Event::Init) => {
                    *seen = None;
                    None
                }
                Ok(watcher::Event::InitApply(object)) => {
                    *seen = Some(object);
                    None
                }
                Ok(watcher::Event::InitDone) => Some(seen.take()),
                Ok(watcher::Event::Apply(object)) => Some(Some(object)),
                Ok(watcher::Event::Delete(_)) => Some(None),
                Err(e) => {
                    super::log_broken(&name, &e);
                    None
                }
            };
            std::future::ready(Some(change))
        })
        .filter_map(std::future::ready)
}

/// Keeps `certificate` as the Secret has it.
pub(super) async fn follow_certificate(
    client: Client,
    namespace: &str,
    certificate: Arc<Certificate>,
) {
    let secrets = Api::<Secret>::namespaced(client, namespace);
    let mut changes = std::pin::pin!(one(secrets, CERTIFICATE));
    while let Some(change) = changes.next().await {
        let data = change.and_then(|secret| secret.data).unwrap_or_default();
        let (Some(chain), Some(key)) = (data.get("tls.crt"), data.get("tls.key")) else {
            tracing::warn!(
                "Secret {CERTIFICATE} has no tls.crt and tls.key; waiting for the operator to write them"
            );
            continue;
        };
        match certificate.replace(&chain.0, &key.0) {
            Ok(true) => tracing::info!("new certificate in use"),
            Ok(false) => {}
            Err(e) => tracing::warn!("{e}; the last good one stays in use"),
        }
    }
}

/// Turns changes of the ConfigMaps into settings.
pub(super) struct Settings {
    pub(super) world: Arc<World>,
    pub(super) metrics: Arc<Metrics>,
    recorder: Recorder,
    api: Api<ConfigMap>,
    /// As the operator wrote it.
    ours: Option<ConfigMap>,
    /// As people wrote it, in Istio's form.
    theirs: Option<ConfigMap>,
    /// What came of the two last time.
    last: Option<Result<InjectionSettings, InvalidSettings>>,
}

impl Settings {
    pub(super) fn new(
        client: Client,
        namespace: &str,
        world: Arc<World>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            world,
            metrics,
            api: Api::namespaced(client.clone(), namespace),
            recorder: Recorder::new(client, Reporter::from("weft-injector")),
            ours: None,
            theirs: None,
            last: None,
        }
    }

    /// Follows both ConfigMaps; which is the second one stands in the first one.
    pub(super) async fn follow(mut self) {
        let mut ours = one(self.api.clone(), SETTINGS).boxed();
        let mut theirs: BoxStream<'static, Option<ConfigMap>> = futures::stream::pending().boxed();
        let mut source = None;
        loop {
            tokio::select! {
                Some(change) = ours.next() => {
                    self.ours = change;
                    let named = self.ours.as_ref().and_then(settings::source);
                    if named != source {
                        theirs = self.watch(named.as_deref());
                        source = named;
                        self.theirs = None;
                    }
                }
                Some(change) = theirs.next() => self.theirs = change,
                else => return,
            }
            self.take().await;
        }
    }

    fn watch(&self, source: Option<&str>) -> BoxStream<'static, Option<ConfigMap>> {
        match source {
            Some(name) => one(self.api.clone(), name).boxed(),
            None => futures::stream::pending().boxed(),
        }
    }

    /// Takes the settings over if they differ from last time, and tells so.
    async fn take(&mut self) {
        let Some(ours) = &self.ours else {
            tracing::warn!("ConfigMap {SETTINGS} does not exist; the last settings stay in use");
            return;
        };
        let read = settings::read(ours, self.theirs.as_ref());
        if self.last.as_ref() == Some(&read) {
            return;
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
        self.last = Some(read);
    }

    /// Tells the author of the ConfigMap.
    async fn report(&self, invalid: &InvalidSettings) {
        let map = match invalid {
            InvalidSettings::Settings(_) => &self.ours,
            InvalidSettings::Template { .. } => &self.theirs,
        };
        let Some(map) = map else { return };
        let event = Event {
            type_: EventType::Warning,
            reason: "TemplateInvalid".into(),
            note: Some(format!("{invalid}; the last valid settings stay in use")),
            action: "Inject".into(),
            secondary: None,
        };
        if let Err(e) = self.recorder.publish(&event, &map.object_ref(&())).await {
            tracing::warn!("no event could be written for a ConfigMap: {e}");
        }
    }
}
