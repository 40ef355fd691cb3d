//! Looking at the cluster: reads only.

use crate::ca::{self, Texts};
use crate::error::Error;
use crate::fuse::{Fuse, missed};
use crate::object::{Key, key};
use crate::removal::policy;
use crate::world::{Namespace, PodName, Trouble, World};
use futures::future::try_join_all;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{
    ConfigMap, ContainerStatus, Namespace as KubeNamespace, Pod, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta, TypeMeta};
use kube::{Api, Client, ResourceExt};
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;
use weft_api::labels::{INJECTED, OWNER, REVISION};
use weft_api::networking::Gateway;
use weft_api::operator::{MeshOperator, UninstallPolicy};
use weft_api::security::peer_authentication::{MutualTlsMode, PeerAuthentication};
use weft_api::settings::MtlsMode;

/// Kinds of objects that are made for a mesh, but Secrets.
pub fn kinds() -> Vec<ApiResource> {
    vec![
        ApiResource::erase::<MutatingWebhookConfiguration>(&()),
        ApiResource::erase::<HorizontalPodAutoscaler>(&()),
        ApiResource::erase::<Deployment>(&()),
        ApiResource::erase::<Service>(&()),
        ApiResource::erase::<PodDisruptionBudget>(&()),
        ApiResource::erase::<ConfigMap>(&()),
        ApiResource::erase::<RoleBinding>(&()),
        ApiResource::erase::<Role>(&()),
        ApiResource::erase::<ClusterRoleBinding>(&()),
        ApiResource::erase::<ClusterRole>(&()),
        ApiResource::erase::<ServiceAccount>(&()),
    ]
}

/// Everything that matters for `mesh`.
///
/// # Errors
/// If the API server does not answer; there is nothing true to report then.
pub async fn world(kube: &Client, mesh: &MeshOperator) -> Result<World, Error> {
    let name = mesh.name_any();
    let namespace = crate::resolve::namespace(&mesh.spec);
    let namespaces = Api::<KubeNamespace>::all(kube.clone())
        .list(&ListParams::default())
        .await?;
    let injected = injected(kube).await?;
    let owned = owned(kube, &name).await?;
    let rival = rival(kube, mesh).await?;
    let state = state(&namespaces.items, &namespace);
    let secrets = match (&rival, state) {
        (None, Namespace::Active) => secrets(kube, &namespace).await?,
        // Nothing is brought, and nobody gave a right to them.
        (Some(_), _) | (None, Namespace::Absent | Namespace::Terminating) => BTreeMap::new(),
    };
    Ok(World {
        now: OffsetDateTime::now_utc(),
        missed: missed(kube, mesh, (&owned, &namespaces.items)).await?,
        strict: strict(kube, mesh).await?,
        owned,
        secrets,
        gateway_secrets: gateway_secrets(kube).await?,
        namespace: state,
        namespaces: namespaces
            .iter()
            .filter(|n| active(n))
            .map(ResourceExt::name_any)
            .collect(),
        proxies: counted(&injected, revision),
        users: counted(&injected, |pod| pod.namespace().unwrap_or_default()),
        injected: injected
            .iter()
            .map(|pod| PodName::of(&pod.metadata))
            .collect(),
        troubles: troubles(kube, &namespace, &name).await?,
        rival,
    })
}

async fn owned(kube: &Client, mesh: &str) -> Result<BTreeMap<Key, DynamicObject>, Error> {
    let ours = ListParams::default().labels(&format!("{OWNER}={mesh}"));
    let lists = kinds().into_iter().map(|resource| {
        let ours = &ours;
        async move {
            let list = Api::<DynamicObject>::all_with(kube.clone(), &resource)
                .list(ours)
                .await?;
            // The items of a list do not say their kind, which what is wanted of them does.
            let types = Some(TypeMeta {
                api_version: resource.api_version.clone(),
                kind: resource.kind.clone(),
            });
            let typed = list.items.into_iter().map(|o| DynamicObject {
                types: types.clone(),
                ..o
            });
            let named = typed.map(|o| (key(&resource.kind, &o), o));
            Ok::<_, kube::Error>(named.collect::<Vec<_>>())
        }
    });
    Ok(try_join_all(lists).await?.into_iter().flatten().collect())
}

async fn secrets(kube: &Client, namespace: &str) -> Result<BTreeMap<String, Texts>, Error> {
    let api = Api::<Secret>::namespaced(kube.clone(), namespace);
    let mut found = BTreeMap::new();
    for name in [ca::ISSUER, ca::ROOT, ca::WEBHOOK] {
        if let Some(secret) = api.get_opt(name).await? {
            found.insert(name.to_owned(), texts(secret));
        }
    }
    Ok(found)
}

/// The Secrets that Gateways name; none while their kind is not there yet.
async fn gateway_secrets(kube: &Client) -> Result<BTreeSet<String>, Error> {
    let gateways = Api::<Gateway>::all(kube.clone());
    match gateways.list(&ListParams::default()).await {
        Ok(list) => Ok(list.iter().flat_map(|it| it.spec.secret_names()).collect()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(BTreeSet::new()),
        Err(error) => Err(error.into()),
    }
}

/// The texts of `secret`; what is not text becomes unreadable text, which is then reported as such.
fn texts(secret: Secret) -> Texts {
    let data = secret.data.unwrap_or_default();
    let text = |bytes: k8s_openapi::ByteString| String::from_utf8_lossy(&bytes.0).into_owned();
    data.into_iter()
        .map(|(key, bytes)| (key, text(bytes)))
        .collect()
}

fn state(namespaces: &[KubeNamespace], name: &str) -> Namespace {
    match namespaces
        .iter()
        .find(|namespace| namespace.name_any() == name)
    {
        None => Namespace::Absent,
        Some(namespace) if active(namespace) => Namespace::Active,
        Some(_) => Namespace::Terminating,
    }
}

fn active(namespace: &KubeNamespace) -> bool {
    namespace.metadata.deletion_timestamp.is_none()
}

/// Injected pods; finished ones need no mesh any more.
async fn injected(kube: &Client) -> Result<Vec<PartialObjectMeta<Pod>>, Error> {
    let marked = ListParams::default()
        .labels(&format!("{INJECTED}=true"))
        .fields("status.phase!=Succeeded,status.phase!=Failed");
    Ok(Api::<Pod>::all(kube.clone())
        .list_metadata(&marked)
        .await?
        .items)
}

/// How many of `pods` have each value of `by`.
fn counted(
    pods: &[PartialObjectMeta<Pod>],
    by: impl Fn(&PartialObjectMeta<Pod>) -> String,
) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for pod in pods {
        *counts.entry(by(pod)).or_default() += 1;
    }
    counts
}

/// Pods that started without a sidecar while no injector answered; none are looked for otherwise.
async fn missed(
    kube: &Client,
    mesh: &MeshOperator,
    (owned, namespaces): (&BTreeMap<Key, DynamicObject>, &[KubeNamespace]),
) -> Result<Vec<PodName>, Error> {
    let status = mesh.status.as_ref();
    let fuse = Fuse::read(status.and_then(|status| status.injection.as_ref()));
    let webhooks = owned
        .iter()
        .find(|(key, _)| key.kind == "MutatingWebhookConfiguration");
    let webhooks = webhooks.and_then(|(_, object)| object.clone().try_parse().ok());
    let (Some(window), Some(webhooks)) = (fuse.window, webhooks) else {
        return Ok(Vec::new());
    };
    let unmarked = ListParams::default().labels(&format!("!{INJECTED}"));
    let pods = Api::<Pod>::all(kube.clone()).list(&unmarked).await?;
    Ok(missed::of(&webhooks, namespaces, &pods.items, window))
}

/// What refuses plaintext, where sidecars are about to be taken out.
async fn strict(kube: &Client, mesh: &MeshOperator) -> Result<Vec<String>, Error> {
    if mesh.metadata.deletion_timestamp.is_none() || policy(mesh) != UninstallPolicy::Uninject {
        return Ok(Vec::new());
    }
    let rules = Api::<PeerAuthentication>::all(kube.clone())
        .list(&ListParams::default())
        .await?;
    let config = mesh.spec.mesh_config.as_ref();
    let default = config.and_then(|config| config.mtls?.mode) == Some(MtlsMode::Strict);
    let default = default.then(|| "spec.meshConfig.mtls.mode".to_owned());
    let rules = rules.iter().filter(|rule| refuses_plaintext(rule));
    let named = rules.map(|rule| {
        let namespace = rule.namespace().unwrap_or_default();
        format!("PeerAuthentication {namespace}/{}", rule.name_any())
    });
    Ok(default.into_iter().chain(named).collect())
}

fn refuses_plaintext(rule: &PeerAuthentication) -> bool {
    let ports = rule.spec.port_level_mtls.values();
    let all = rule.spec.mtls.iter().chain(ports);
    all.into_iter()
        .any(|mtls| mtls.mode == MutualTlsMode::Strict)
}

/// The revision of an injected pod: its label, else what the injector wrote into its annotation.
fn revision(pod: &PartialObjectMeta<Pod>) -> String {
    if let Some(label) = pod.labels().get(REVISION) {
        return label.clone();
    }
    let status = pod.annotations().get(weft_api::labels::STATUS);
    let status = status.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    let revision = status
        .as_ref()
        .and_then(|status| status["revision"].as_str());
    revision.unwrap_or_default().to_owned()
}

async fn troubles(kube: &Client, namespace: &str, mesh: &str) -> Result<Vec<Trouble>, Error> {
    let ours = ListParams::default().labels(&format!("{OWNER}={mesh}"));
    let pods = Api::<Pod>::namespaced(kube.clone(), namespace)
        .list(&ours)
        .await?;
    Ok(pods.iter().flat_map(pod_troubles).collect())
}

fn pod_troubles(pod: &Pod) -> Vec<Trouble> {
    let statuses = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.as_ref());
    let trouble = |status: &ContainerStatus| trouble(&pod.name_any(), status);
    statuses.into_iter().flatten().filter_map(trouble).collect()
}

/// What Kubernetes says of a container that waits for something that does not come by itself.
fn trouble(pod: &str, status: &ContainerStatus) -> Option<Trouble> {
    const IMAGE: &[&str] = &[
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
    ];
    const FAILING: &[&str] = &[
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    ];
    let waiting = status.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    let image = IMAGE.contains(&reason);
    (image || FAILING.contains(&reason)).then(|| Trouble {
        image,
        text: format!("pod {pod}: {reason} of image {}", status.image),
    })
}

/// The MeshOperator that was there before `mesh`, if there is one.
///
/// # Errors
/// If the API server does not answer.
pub async fn rival(kube: &Client, mesh: &MeshOperator) -> Result<Option<String>, Error> {
    let all = Api::<MeshOperator>::all(kube.clone())
        .list(&ListParams::default())
        .await?;
    let age = |mesh: &MeshOperator| (mesh.metadata.creation_timestamp.clone(), mesh.name_any());
    let oldest = all.items.iter().min_by_key(|mesh| age(mesh));
    Ok(oldest
        .map(ResourceExt::name_any)
        .filter(|name| *name != mesh.name_any()))
}
