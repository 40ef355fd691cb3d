//! Secrets with the certificates of Gateways, in the namespaces where proxies at the edge run.
//!
//! The control plane may read those that a Gateway names, and no others: the operator sees to it. So
//! there is one watch for each of them.

use super::Collected;
use super::relist::apply;
use super::retries::Retries;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use weft_model::objects::Credential;
use weft_model::{Key, Objects};

type Shared = Arc<watch::Sender<Collected>>;

/// The Secrets that Gateways name, in each namespace of the settings.
pub(super) fn wanted(objects: &Objects) -> BTreeSet<Key> {
    let gateways = objects.gateways.values();
    let names: BTreeSet<String> = gateways.flat_map(|it| it.spec.secret_names()).collect();
    let namespaces = objects.settings.gateway_namespaces.iter();
    let keys = namespaces.flat_map(|namespace| names.iter().map(move |name| (namespace, name)));
    keys.map(|(namespace, name)| Key::new(namespace, name))
        .collect()
}

/// Keeps a watch for each Secret that is wanted.
pub(super) async fn follow(client: Client, shared: Shared) {
    let mut known = shared.subscribe();
    let mut watches: BTreeMap<Key, AbortOnDropHandle<()>> = BTreeMap::new();
    loop {
        let wanted = wanted(&known.borrow_and_update().objects);
        let gone = watches.keys().filter(|key| !wanted.contains(key));
        let gone: Vec<Key> = gone.cloned().collect();
        for key in gone {
            watches.remove(&key);
            shared.send_if_modified(|all| forget(all, &key));
        }
        for key in wanted {
            let start = || {
                let api = Api::namespaced(client.clone(), &key.namespace);
                let watching = one(api, key.clone(), shared.clone());
                AbortOnDropHandle::new(tokio::spawn(watching))
            };
            watches.entry(key.clone()).or_insert_with(start);
        }
        if known.changed().await.is_err() {
            return;
        }
    }
}

async fn one(api: Api<Secret>, key: Key, shared: Shared) {
    let config = watcher::Config::default().fields(&format!("metadata.name={}", key.name));
    let mut events = watcher(api, config).backoff(Retries::default()).boxed();
    let mut listed = None;
    loop {
        match events.try_next().await {
            Ok(Some(event)) => {
                let listed = &mut listed;
                shared.send_if_modified(|all| take(all, event, &key, listed));
            }
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(?key, %error, "watch of a gateway's Secret interrupted");
                // Who may not read it has none; the other proxies must not wait for that.
                if is_refused(&error) {
                    shared.send_if_modified(|all| all.listed.insert(key.clone()));
                }
            }
        }
    }
}

fn is_refused(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.is_forbidden(),
        _ => false, // another crate's enum
    }
}

/// Takes in what happened to the Secret `key`; tells whether anything is different.
fn take(all: &mut Collected, event: Event<Secret>, key: &Key, listed: &mut Option<Secret>) -> bool {
    match event {
        Event::Init => {
            *listed = None;
            false
        }
        Event::InitApply(secret) => {
            *listed = Some(secret);
            false
        }
        Event::InitDone => {
            let changed = match listed.take() {
                Some(secret) => put(all, key, &secret),
                None => all.objects.credentials.remove(key).is_some(),
            };
            all.listed.insert(key.clone()) | changed
        }
        Event::Apply(secret) => put(all, key, &secret),
        Event::Delete(_) => all.objects.credentials.remove(key).is_some(),
    }
}

fn put(all: &mut Collected, key: &Key, secret: &Secret) -> bool {
    apply(
        &mut all.objects.credentials,
        key.clone(),
        Credential::from(secret),
    )
}

fn forget(all: &mut Collected, key: &Key) -> bool {
    all.listed.remove(key);
    all.objects.credentials.remove(key).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_api::networking::GatewaySpec;
    use weft_api::networking::gateway::{Server, ServerTls};
    use weft_model::objects::Config;

    /// A Gateway that names Secret `shop`, with proxies in namespace `edge`.
    fn with_gateway() -> Collected {
        let tls = ServerTls {
            credential_name: Some("shop".into()),
            ..ServerTls::default()
        };
        let server = Server {
            tls: Some(tls),
            ..Server::default()
        };
        let spec = GatewaySpec {
            servers: vec![server],
            ..GatewaySpec::default()
        };
        let mut all = Collected::default();
        Arc::make_mut(&mut all.objects.settings).gateway_namespaces = vec!["edge".into()];
        let config = Config {
            spec,
            ..Config::default()
        };
        let key = Key::new("shop", "public");
        all.objects.gateways.insert(key, Arc::new(config));
        all
    }

    #[test]
    fn only_what_gateways_name_is_asked_for_and_only_where_proxies_are() {
        let wanted = wanted(&with_gateway().objects);
        let expected = ["shop", "shop-cacert"].map(|name| Key::new("edge", name));
        assert_eq!(wanted, expected.into());
    }

    #[test]
    fn the_first_configuration_waits_for_every_secret_or_its_absence() {
        let mut all = with_gateway();
        assert!(!all.has_credentials());
        for key in wanted(&all.objects) {
            let found = (key.name == "shop").then(Secret::default);
            take(&mut all, Event::InitDone, &key, &mut found.clone());
        }
        assert!(all.has_credentials());
        let kept: Vec<_> = all.objects.credentials.keys().collect();
        assert_eq!(kept, [&Key::new("edge", "shop")]);
    }
}
