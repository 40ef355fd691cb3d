//! One watch for each kind.

use super::relist::{Empty, Relist, apply};
use super::retries::Retries;
use super::{Collected, Kind, Knowledge, credentials};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1 as discovery;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;
use weft_api::networking::{
    DestinationRule, DestinationRuleSpec, Gateway, GatewaySpec, ServiceEntry, ServiceEntrySpec,
    Sidecar, SidecarSpec, VirtualService, VirtualServiceSpec, WorkloadEntry, WorkloadEntrySpec,
};
use weft_api::security::{
    AuthorizationPolicy, AuthorizationPolicySpec, PeerAuthentication, PeerAuthenticationSpec,
};
use weft_api::settings::MeshSettings;
use weft_ca::Material;
use weft_model::Key;
use weft_model::objects::{Config, EndpointSlice, KubeNode, Meta, Namespace, Pod, Service, Store};

/// Name of the ConfigMap with the mesh's settings, and its key.
const SETTINGS: (&str, &str) = ("weft-mesh", "mesh.yaml");
/// Name of the CA's Secret.
const CA: &str = "weft-ca";

type Shared = Arc<watch::Sender<Collected>>;

/// Watches every kind until the set is dropped.
pub fn start(client: &Client, namespace: &str) -> (JoinSet<()>, Knowledge) {
    let (sender, knowledge) = watch::channel(Collected::nothing());
    let shared = Arc::new(sender);
    let mut tasks = JoinSet::new();
    tasks.spawn(follow(
        all::<core::Namespace>(client),
        shared.clone(),
        NAMESPACES,
    ));
    tasks.spawn(follow(all::<core::Node>(client), shared.clone(), NODES));
    tasks.spawn(follow(
        all::<core::Service>(client),
        shared.clone(),
        SERVICES,
    ));
    tasks.spawn(follow(
        all::<discovery::EndpointSlice>(client),
        shared.clone(),
        SLICES,
    ));
    tasks.spawn(follow(all::<core::Pod>(client), shared.clone(), PODS));
    tasks.spawn(follow(
        all::<PeerAuthentication>(client),
        shared.clone(),
        PEERS,
    ));
    tasks.spawn(follow(
        all::<AuthorizationPolicy>(client),
        shared.clone(),
        POLICIES,
    ));
    tasks.spawn(follow(
        all::<VirtualService>(client),
        shared.clone(),
        ROUTES,
    ));
    tasks.spawn(follow(
        all::<DestinationRule>(client),
        shared.clone(),
        RULES,
    ));
    tasks.spawn(follow(all::<ServiceEntry>(client), shared.clone(), ENTRIES));
    tasks.spawn(follow(
        all::<WorkloadEntry>(client),
        shared.clone(),
        WORKLOADS,
    ));
    tasks.spawn(follow(all::<Sidecar>(client), shared.clone(), SIDECARS));
    tasks.spawn(follow(all::<Gateway>(client), shared.clone(), GATEWAYS));
    tasks.spawn(credentials::follow(client.clone(), shared.clone()));
    tasks.spawn(settings(
        Api::namespaced(client.clone(), namespace),
        shared.clone(),
    ));
    tasks.spawn(ca(Api::namespaced(client.clone(), namespace), shared));
    (tasks, knowledge)
}

/// How objects of one kind become values of the model.
struct Rule<K, T> {
    kind: Kind,
    empty: Empty,
    reduce: fn(&K) -> T,
    store: fn(&mut Collected) -> &mut Store<T>,
}

const NAMESPACES: Rule<core::Namespace, Namespace> = Rule {
    kind: Kind::Namespace,
    empty: Empty::Wrong,
    reduce: |object| object.into(),
    store: |all| &mut all.objects.namespaces,
};
const NODES: Rule<core::Node, KubeNode> = Rule {
    kind: Kind::Node,
    empty: Empty::Wrong,
    reduce: |object| object.into(),
    store: |all| &mut all.objects.nodes,
};
const SERVICES: Rule<core::Service, Service> = Rule {
    kind: Kind::Service,
    empty: Empty::Wrong,
    reduce: |object| object.into(),
    store: |all| &mut all.objects.services,
};
const SLICES: Rule<discovery::EndpointSlice, EndpointSlice> = Rule {
    kind: Kind::EndpointSlice,
    empty: Empty::Wrong,
    reduce: |object| object.into(),
    store: |all| &mut all.objects.endpoint_slices,
};
const PODS: Rule<core::Pod, Pod> = Rule {
    kind: Kind::Pod,
    empty: Empty::Wrong,
    reduce: |object| object.into(),
    store: |all| &mut all.objects.pods,
};
const PEERS: Rule<PeerAuthentication, Config<PeerAuthenticationSpec>> = Rule {
    kind: Kind::PeerAuthentication,
    empty: Empty::Possible,
    reduce: |object| Config::new(&object.metadata, object.spec.clone()),
    store: |all| &mut all.objects.peer_authentications,
};
const POLICIES: Rule<AuthorizationPolicy, Config<AuthorizationPolicySpec>> = Rule {
    kind: Kind::AuthorizationPolicy,
    empty: Empty::Possible,
    reduce: |object| Config::new(&object.metadata, object.spec.clone()),
    store: |all| &mut all.objects.authorization_policies,
};
const ROUTES: Rule<VirtualService, Config<VirtualServiceSpec>> = Rule {
    kind: Kind::VirtualService,
    empty: Empty::Possible,
    reduce: |object| Config::new(&object.metadata, object.spec.clone()),
    store: |all| &mut all.objects.virtual_services,
};
const RULES: Rule<DestinationRule, Config<DestinationRuleSpec>> = Rule {
    kind: Kind::DestinationRule,
    empty: Empty::Possible,
    reduce: |object| Config::new(&object.metadata, object.spec.clone()),
    store: |all| &mut all.objects.destination_rules,
};
const GATEWAYS: Rule<Gateway, Config<GatewaySpec>> = Rule {
    kind: Kind::Gateway,
    empty: Empty::Possible,
    reduce: |object| Config::new(&object.metadata, object.spec.clone()),
    store: |all| &mut all.objects.gateways,
};
const ENTRIES: Rule<ServiceEntry, Config<ServiceEntrySpec>> = Rule {
    kind: Kind::ServiceEntry,
    empty: Empty::Possible,
    reduce: |object| Config::new(&object.metadata, object.spec.clone()),
    store: |all| &mut all.objects.service_entries,
};
const WORKLOADS: Rule<WorkloadEntry, Config<WorkloadEntrySpec>> = Rule {
    kind: Kind::WorkloadEntry,
    empty: Empty::Possible,
    reduce: |object| Config::new(&object.metadata, object.spec.clone()),
    store: |all| &mut all.objects.workload_entries,
};
const SIDECARS: Rule<Sidecar, Config<SidecarSpec>> = Rule {
    kind: Kind::Sidecar,
    empty: Empty::Possible,
    reduce: |object| Config::new(&object.metadata, object.spec.clone()),
    store: |all| &mut all.objects.sidecars,
};

fn all<K: Resource<DynamicType = ()>>(client: &Client) -> Api<K> {
    Api::all(client.clone())
}

async fn follow<K, T>(api: Api<K>, shared: Shared, rule: Rule<K, T>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
    T: PartialEq,
{
    let mut relist = Relist::new(rule.empty);
    let mut events = watcher(api, watcher::Config::default())
        .backoff(Retries::default())
        .boxed();
    loop {
        match events.try_next().await {
            Ok(Some(event)) => {
                shared.send_if_modified(|all| take(all, event, &rule, &mut relist));
            }
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(kind = ?rule.kind, %error, "watch interrupted");
                if is_unknown_kind(&error) {
                    // Its definition may come later; there is nothing of it until then.
                    shared.send_if_modified(|all| all.missing.remove(&rule.kind));
                }
            }
        }
    }
}

fn is_unknown_kind(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.is_not_found(),
        _ => false, // another crate's enum
    }
}

fn take<K: Resource, T: PartialEq>(
    all: &mut Collected,
    event: Event<K>,
    rule: &Rule<K, T>,
    relist: &mut Relist<T>,
) -> bool {
    let key = |object: &K| key(object.meta());
    match event {
        Event::Init => {
            relist.begin();
            false
        }
        Event::InitApply(object) => {
            relist.add(key(&object), (rule.reduce)(&object));
            false
        }
        Event::InitDone => {
            let changed = relist.end((rule.store)(all));
            all.missing.remove(&rule.kind) | changed
        }
        Event::Apply(object) => {
            let reduced = (rule.reduce)(&object);
            apply((rule.store)(all), key(&object), reduced)
        }
        Event::Delete(object) => (rule.store)(all).remove(&key(&object)).is_some(),
    }
}

fn key(meta: &ObjectMeta) -> Key {
    Meta::from(meta).key
}

/// Follows the one object of a name; `None` when it does not exist.
async fn follow_one<K>(api: Api<K>, name: &str, shared: Shared, set: fn(&mut Collected, Option<K>))
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut events = watcher(api, config).backoff(Retries::default()).boxed();
    let mut listed = None;
    loop {
        match events.try_next().await {
            Ok(Some(Event::Init)) => listed = None,
            Ok(Some(Event::InitApply(object))) => listed = Some(object),
            Ok(Some(Event::InitDone)) => shared.send_modify(|all| set(all, listed.take())),
            Ok(Some(Event::Apply(object))) => shared.send_modify(|all| set(all, Some(object))),
            Ok(Some(Event::Delete(_))) => shared.send_modify(|all| set(all, None)),
            Ok(None) => return,
            Err(error) => tracing::warn!(name, %error, "watch interrupted"),
        }
    }
}

async fn settings(api: Api<core::ConfigMap>, shared: Shared) {
    follow_one(api, SETTINGS.0, shared, |all, map| {
        all.missing.remove(&Kind::Settings);
        let text = map.and_then(|map| map.data?.remove(SETTINGS.1));
        match text.map(|text| serde_saphyr::from_str::<MeshSettings>(&text)) {
            Some(Ok(settings)) => all.objects.settings = Arc::new(settings),
            Some(Err(error)) => {
                tracing::error!(%error, "ConfigMap weft-mesh cannot be read; the last settings stay");
            }
            None => tracing::warn!("there is no ConfigMap weft-mesh; the last settings stay"),
        }
    })
    .await;
}

async fn ca(api: Api<core::Secret>, shared: Shared) {
    follow_one(api, CA, shared, |all, secret: Option<core::Secret>| {
        all.missing.remove(&Kind::Ca);
        all.ca = secret.map(|secret| Arc::new(material(&secret)));
    })
    .await;
}

fn material(secret: &core::Secret) -> Material {
    let text = |key: &str| {
        let bytes = secret.data.as_ref().and_then(|data| data.get(key));
        bytes.map_or_else(String::new, |bytes| {
            String::from_utf8_lossy(&bytes.0).into_owned()
        })
    };
    Material {
        certificate: text("ca-cert.pem"),
        key: text("ca-key.pem"),
        chain: text("cert-chain.pem"),
        roots: text("root-cert.pem"),
    }
}
