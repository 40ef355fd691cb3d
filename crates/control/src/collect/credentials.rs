//! Secrets of the namespaces where proxies at the edge run, with the certificates of Gateways.
//!
//! The control plane may read Secrets only there, which the operator sees to; so there is one watch
//! for each of these namespaces, which come and go with the settings of the mesh.

use super::Collected;
use super::relist::apply;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use weft_model::Key;
use weft_model::objects::Credential;

type Shared = Arc<watch::Sender<Collected>>;

/// Kinds of Secrets that never have a certificate for a gateway; there may be very many of them.
const OTHERS: &str = "type!=kubernetes.io/service-account-token,type!=helm.sh/release.v1,type!=kubernetes.io/dockerconfigjson";

/// Keeps a watch in each namespace that the settings name.
pub(super) async fn follow(client: Client, shared: Shared) {
    let mut known = shared.subscribe();
    let mut watches: BTreeMap<String, AbortOnDropHandle<()>> = BTreeMap::new();
    loop {
        let settings = known.borrow_and_update().objects.settings.clone();
        let wanted: BTreeSet<&String> = settings.gateway_namespaces.iter().collect();
        let gone = watches.keys().filter(|name| !wanted.contains(name));
        let gone: Vec<String> = gone.cloned().collect();
        for namespace in gone {
            watches.remove(&namespace);
            shared.send_if_modified(|all| replace(all, &namespace, BTreeMap::new()));
        }
        for namespace in wanted {
            let start = || {
                let api = Api::namespaced(client.clone(), namespace);
                let watching = one(api, namespace.clone(), shared.clone());
                AbortOnDropHandle::new(tokio::spawn(watching))
            };
            watches.entry(namespace.clone()).or_insert_with(start);
        }
        if known.changed().await.is_err() {
            return;
        }
    }
}

async fn one(api: Api<Secret>, namespace: String, shared: Shared) {
    let config = watcher::Config::default().fields(OTHERS);
    let mut events = watcher(api, config).default_backoff().boxed();
    let mut incoming = BTreeMap::new();
    loop {
        match events.try_next().await {
            Ok(Some(event)) => {
                let incoming = &mut incoming;
                shared.send_if_modified(|all| take(all, event, &namespace, incoming));
            }
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(namespace, %error, "watch of gateways' Secrets interrupted");
                // Who may not read them has none; the other proxies must not wait for that.
                if is_refused(&error) {
                    shared.send_if_modified(|all| all.listed.insert(namespace.clone()));
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

fn take(
    all: &mut Collected,
    event: Event<Secret>,
    namespace: &str,
    incoming: &mut BTreeMap<Key, Arc<Credential>>,
) -> bool {
    match event {
        Event::Init => {
            incoming.clear();
            false
        }
        Event::InitApply(secret) => {
            let read = Credential::from(&secret);
            if is_useful(&read) {
                incoming.insert(read.key.clone(), Arc::new(read));
            }
            false
        }
        Event::InitDone => {
            let changed = replace(all, namespace, std::mem::take(incoming));
            all.listed.insert(namespace.to_owned()) | changed
        }
        Event::Apply(secret) => {
            let read = Credential::from(&secret);
            match is_useful(&read) {
                true => apply(&mut all.objects.credentials, read.key.clone(), read),
                false => all.objects.credentials.remove(&read.key).is_some(),
            }
        }
        Event::Delete(secret) => {
            let key = Credential::from(&secret).key;
            all.objects.credentials.remove(&key).is_some()
        }
    }
}

fn is_useful(read: &Credential) -> bool {
    !read.certificate.is_empty() || !read.roots.is_empty()
}

/// Puts `found` in the place of all Secrets of `namespace`; tells whether anything is different.
fn replace(all: &mut Collected, namespace: &str, found: BTreeMap<Key, Arc<Credential>>) -> bool {
    let before = all.objects.credentials.clone();
    let credentials = &mut all.objects.credentials;
    credentials.retain(|key, _| key.namespace != namespace);
    credentials.extend(found);
    *credentials != before
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    fn secret(namespace: &str, name: &str, value: &str) -> Secret {
        Secret {
            metadata: ObjectMeta {
                namespace: Some(namespace.into()),
                name: Some(name.into()),
                ..ObjectMeta::default()
            },
            data: Some([(value.to_owned(), ByteString(b"x".to_vec()))].into()),
            ..Secret::default()
        }
    }

    fn names(all: &Collected) -> Vec<String> {
        let keys = all.objects.credentials.keys();
        keys.map(|key| format!("{}/{}", key.namespace, key.name))
            .collect()
    }

    #[test]
    fn a_new_list_of_one_namespace_leaves_the_others_alone() {
        let mut all = Collected::default();
        let mut incoming = BTreeMap::new();
        for namespace in ["a", "b"] {
            let event = Event::Apply(secret(namespace, "old", "tls.crt"));
            assert!(take(&mut all, event, namespace, &mut incoming));
        }
        take(&mut all, Event::Init, "a", &mut incoming);
        for (name, value) in [("new", "cert"), ("useless", "password")] {
            let event = Event::InitApply(secret("a", name, value));
            assert!(!take(&mut all, event, "a", &mut incoming));
        }
        assert!(take(&mut all, Event::InitDone, "a", &mut incoming));
        assert_eq!(names(&all), ["a/new", "b/old"]);
        assert!(all.listed.contains("a"));
    }

    #[test]
    fn nothing_is_complete_before_the_namespaces_of_gateways_are_listed() {
        let mut all = Collected::default();
        Arc::make_mut(&mut all.objects.settings).gateway_namespaces = vec!["edge".into()];
        assert!(!all.is_complete());
        take(&mut all, Event::InitDone, "edge", &mut BTreeMap::new());
        assert!(all.is_complete());
    }
}
