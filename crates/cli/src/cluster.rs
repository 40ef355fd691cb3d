//! Reading what the answers need from a cluster.

use anyhow::{Context, Result, bail};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace as KubeNamespace, Pod};
use kube::api::ListParams;
use kube::config::{Config, KubeConfigOptions};
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use weft_api::injection::InjectionSettings;
use weft_api::operator::{DEFAULT_NAMESPACE, MeshOperator};
use weft_injector::Namespace;
use weft_injector::watch::settings;

/// What is in a cluster, as far as answers are about it.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Version of Kubernetes, major and minor.
    pub(crate) kubernetes: (u32, u32),
    /// MeshOperators; `None` where the cluster does not know the kind.
    pub(crate) meshes: Option<Vec<MeshOperator>>,
    /// Deployments of the operator and of its meshes.
    pub(crate) programs: Vec<Deployment>,
    /// Names of the webhook configurations that the operator has made.
    pub(crate) webhooks: Vec<String>,
    /// Namespaces.
    pub(crate) namespaces: Vec<PartialObjectMeta<KubeNamespace>>,
    /// Pods.
    pub(crate) pods: Vec<PartialObjectMeta<Pod>>,
}

/// A connection to an API server.
pub(crate) struct Cluster {
    client: Client,
}

impl Cluster {
    /// Connects as `context` of the kubeconfig says.
    pub(crate) async fn connect(context: Option<&str>) -> Result<Self> {
        let config = match context {
            None => Config::infer().await?,
            Some(context) => {
                let options = KubeConfigOptions {
                    context: Some(context.to_owned()),
                    ..KubeConfigOptions::default()
                };
                Config::from_kubeconfig(&options).await?
            }
        };
        let client = Client::try_from(config).context("the kubeconfig cannot be used")?;
        Ok(Self { client })
    }

    /// Everything that answers about the whole mesh need.
    pub(crate) async fn facts(&self) -> Result<Facts> {
        let version = self.client.apiserver_version().await;
        let version = version.context("the API server does not answer; check KUBECONFIG")?;
        let number = |text: &str| text.trim_end_matches('+').parse().unwrap_or(0);
        let made = ListParams::default().labels("app.kubernetes.io/managed-by=weft-operator");
        let unfinished =
            ListParams::default().fields("status.phase!=Succeeded,status.phase!=Failed");
        let mut programs = self.list::<Deployment>(&made).await?;
        let operator = ListParams::default().labels("app.kubernetes.io/name=weft-operator");
        programs.extend(self.list::<Deployment>(&operator).await?);
        let webhooks = self.list::<MutatingWebhookConfiguration>(&made).await?;
        let (namespaces, pods) = (self.all::<KubeNamespace>(), self.all::<Pod>());
        Ok(Facts {
            kubernetes: (number(&version.major), number(&version.minor)),
            meshes: self.meshes().await?,
            programs,
            webhooks: webhooks.iter().map(ResourceExt::name_any).collect(),
            namespaces: namespaces
                .list_metadata(&ListParams::default())
                .await?
                .items,
            pods: pods.list_metadata(&unfinished).await?.items,
        })
    }

    /// A pod as the API server has it, and its namespace.
    pub(crate) async fn pod(&self, namespace: &str, name: &str) -> Result<(Value, Namespace)> {
        let resource = ApiResource::erase::<Pod>(&());
        let pods = Api::<DynamicObject>::namespaced_with(self.client.clone(), namespace, &resource);
        let Some(pod) = pods.get_opt(name).await? else {
            bail!("there is no pod {name} in namespace {namespace}; name another with -n");
        };
        let labels = self.all::<KubeNamespace>().get(namespace).await?;
        let namespace = Namespace {
            name: namespace.to_owned(),
            labels: labels.labels().clone(),
        };
        Ok((json!(pod), namespace))
    }

    /// The settings that the mesh's injector uses.
    pub(crate) async fn settings(&self) -> Result<InjectionSettings> {
        let meshes = self.meshes().await?.unwrap_or_default();
        let namespace = meshes.first().and_then(|mesh| mesh.spec.namespace.clone());
        let namespace = namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
        let maps = Api::<ConfigMap>::namespaced(self.client.clone(), &namespace);
        let Some(ours) = maps.get_opt(settings::SETTINGS).await? else {
            bail!(
                "there is no ConfigMap weft-injection in namespace {namespace}: no mesh is installed; name settings with --settings"
            );
        };
        let theirs = match settings::source(&ours) {
            None => None,
            Some(name) => maps.get_opt(&name).await?,
        };
        Ok(settings::read(&ours, theirs.as_ref())?)
    }

    async fn meshes(&self) -> Result<Option<Vec<MeshOperator>>> {
        let all = self.all::<MeshOperator>();
        match all.list(&ListParams::default()).await {
            Ok(list) => Ok(Some(list.items)),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
            Err(error) => Err(error).context("MeshOperators cannot be read"),
        }
    }

    fn all<K: Resource<DynamicType = ()>>(&self) -> Api<K> {
        Api::all(self.client.clone())
    }

    async fn list<K>(&self, which: &ListParams) -> Result<Vec<K>>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        let kind = K::kind(&());
        let list = self.all::<K>().list(which).await;
        Ok(list
            .with_context(|| format!("{kind}s cannot be read"))?
            .items)
    }
}
