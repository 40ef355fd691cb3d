//! A cluster, and namespaces that go with their test.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Namespace as KubeNamespace, Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, Discovery, ResourceExt};
use serde::Deserialize;
use serde_json::json;

use crate::{eventually, seconds};

/// Label of every namespace that a test makes.
const TEST: &str = "weft-e2e";

/// A connection to the API server that `KUBECONFIG` names.
#[derive(Clone)]
pub struct Cluster {
    /// For whatever the words below do not say.
    pub client: Client,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cluster")
    }
}

impl Cluster {
    /// Connects.
    ///
    /// # Errors
    /// When no kubeconfig is named or it cannot be used.
    pub async fn connect() -> Result<Self> {
        let client = Client::try_default()
            .await
            .context("name a cluster in KUBECONFIG")?;
        Ok(Self { client })
    }

    /// Makes a namespace with labels, new and empty.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn namespace(&self, name: &str, labels: &[(&str, &str)]) -> Result<Namespace> {
        self.delete_namespace(name).await?;
        let test = [(TEST, "true")];
        let labels: BTreeMap<_, _> = labels
            .iter()
            .chain(&test)
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels),
            ..ObjectMeta::default()
        };
        let namespace = KubeNamespace {
            metadata,
            ..KubeNamespace::default()
        };
        let api: Api<KubeNamespace> = Api::all(self.client.clone());
        api.create(&PostParams::default(), &namespace).await?;
        Ok(Namespace {
            cluster: self.clone(),
            name: name.to_owned(),
        })
    }

    /// Deletes the namespaces of earlier tests and waits until they are gone; pods in them would keep a mesh from going.
    ///
    /// # Errors
    /// When they are not gone after a minute and a half.
    pub async fn delete_leftovers(&self) -> Result<()> {
        let api: Api<KubeNamespace> = Api::all(self.client.clone());
        for namespace in api.list(&ListParams::default().labels(TEST)).await? {
            self.delete_namespace(&namespace.name_any()).await?;
        }
        Ok(())
    }

    /// Deletes a namespace and waits until it is gone.
    ///
    /// # Errors
    /// When it is not gone after a minute.
    pub async fn delete_namespace(&self, name: &str) -> Result<()> {
        let api: Api<KubeNamespace> = Api::all(self.client.clone());
        if api.get_opt(name).await?.is_none() {
            return Ok(());
        }
        drop(api.delete(name, &DeleteParams::background()).await?);
        eventually(seconds(90), || async {
            match api.get_opt(name).await? {
                None => Ok(()),
                Some(_) => bail!("namespace {name} is still there"),
            }
        })
        .await
    }

    /// Applies YAML documents as `kubectl apply` would; `namespace` is for those that name none.
    ///
    /// # Errors
    /// The API server's words for the first document that it refuses.
    pub async fn apply(&self, namespace: &str, yaml: &str) -> Result<()> {
        let discovery = Discovery::new(self.client.clone()).run().await?;
        for document in documents(yaml)? {
            let api = self.api_for(&discovery, namespace, &document)?;
            let name = document
                .metadata
                .name
                .clone()
                .context("an object without a name")?;
            let params = PatchParams::apply("weft-e2e").force();
            api.patch(&name, &params, &Patch::Apply(&document))
                .await
                .with_context(|| name.clone())?;
        }
        Ok(())
    }

    /// Deletes the objects of YAML documents; those that are not there are no fault.
    ///
    /// # Errors
    /// The API server's words.
    pub async fn delete(&self, namespace: &str, yaml: &str) -> Result<()> {
        let discovery = Discovery::new(self.client.clone()).run().await?;
        for document in documents(yaml)? {
            let name = document
                .metadata
                .name
                .clone()
                .context("an object without a name")?;
            match self
                .api_for(&discovery, namespace, &document)?
                .delete(&name, &DeleteParams::default())
                .await
            {
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                other => drop(other?),
            }
        }
        Ok(())
    }

    /// The names of the nodes that take any pod.
    ///
    /// # Errors
    /// The API server's words.
    pub async fn nodes(&self) -> Result<Vec<String>> {
        let api: Api<Node> = Api::all(self.client.clone());
        let nodes = api.list(&ListParams::default()).await?;
        let free = nodes.iter().filter(|node| {
            let spec = node.spec.as_ref();
            spec.is_none_or(|spec| spec.taints.iter().flatten().next().is_none())
        });
        Ok(free.map(ResourceExt::name_any).collect())
    }

    /// The pods that a label selector names.
    ///
    /// # Errors
    /// The API server's words.
    pub async fn pods(&self, namespace: &str, selector: &str) -> Result<Vec<Pod>> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        Ok(api
            .list(&ListParams::default().labels(selector))
            .await?
            .items)
    }

    /// Kills the pods that a label selector names, without a word.
    ///
    /// # Errors
    /// The API server's words.
    pub async fn kill_pods(&self, namespace: &str, selector: &str) -> Result<()> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let now = DeleteParams::default().grace_period(0);
        let which = ListParams::default().labels(selector);
        drop(api.delete_collection(&now, &which).await?);
        Ok(())
    }

    /// Changes the ReplicaSets that a label selector names in a way that means nothing.
    ///
    /// # Errors
    /// The API server's words.
    pub async fn touch_replica_sets(&self, namespace: &str, selector: &str) -> Result<()> {
        let api: Api<ReplicaSet> = Api::namespaced(self.client.clone(), namespace);
        let patch = json!({"metadata": {"annotations": {"weft-e2e/touched": "true"}}});
        for set in api.list(&ListParams::default().labels(selector)).await? {
            let params = PatchParams::default();
            api.patch(&set.name_any(), &params, &Patch::Merge(&patch))
                .await?;
        }
        Ok(())
    }

    /// Every object of any kind that a label selector names, as `Kind namespace/name`.
    ///
    /// # Errors
    /// The API server's words.
    pub async fn labelled(&self, selector: &str) -> Result<Vec<String>> {
        let discovery = Discovery::new(self.client.clone()).run().await?;
        let kinds = discovery
            .groups()
            .flat_map(kube::discovery::ApiGroup::recommended_resources);
        let mut found = Vec::new();
        for (resource, _) in
            kinds.filter(|(_, can)| can.supports_operation(kube::discovery::verbs::LIST))
        {
            let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
            let list = api.list(&ListParams::default().labels(selector)).await?;
            found.extend(list.items.iter().map(|object| {
                let name = object.metadata.name.as_deref().unwrap_or_default();
                format!(
                    "{} {}/{name}",
                    resource.kind,
                    object.metadata.namespace.as_deref().unwrap_or_default()
                )
            }));
        }
        found.sort();
        Ok(found)
    }

    /// Changes the number of pods of a Deployment and waits until it is so.
    ///
    /// # Errors
    /// When it is not so after a minute.
    pub async fn scale(&self, namespace: &str, deployment: &str, replicas: i32) -> Result<()> {
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
        let patch = Patch::Merge(serde_json::json!({"spec": {"replicas": replicas}}));
        api.patch(deployment, &PatchParams::default(), &patch)
            .await?;
        eventually(seconds(90), || async {
            let status = api.get(deployment).await?.status.unwrap_or_default();
            // Pods that are ending still work, so they count too.
            let pods = self
                .pods(namespace, &format!("app={deployment}"))
                .await?
                .len();
            let ready = status.ready_replicas.unwrap_or(0);
            if ready != replicas || pods != usize::try_from(replicas)? {
                bail!("{deployment} has {pods} pods, {ready} of {replicas} ready: {status:?}");
            }
            Ok(())
        })
        .await
    }

    fn api_for(
        &self,
        known: &Discovery,
        namespace: &str,
        document: &DynamicObject,
    ) -> Result<Api<DynamicObject>> {
        let (resource, capabilities) = known.resolve_object(document).with_context(|| {
            format!("the cluster does not know the kind of {:?}", document.types)
        })?;
        let namespace = document.metadata.namespace.as_deref().unwrap_or(namespace);
        Ok(match capabilities.scope {
            kube::discovery::Scope::Cluster => Api::all_with(self.client.clone(), &resource),
            kube::discovery::Scope::Namespaced => {
                Api::namespaced_with(self.client.clone(), namespace, &resource)
            }
        })
    }
}

/// The documents of a YAML text, empty ones left out.
fn documents(yaml: &str) -> Result<Vec<DynamicObject>> {
    let texts = yaml
        .split("\n---")
        .map(|text| text.trim_start_matches("---"));
    let filled = texts.filter(|text| {
        text.lines()
            .any(|line| !line.trim().is_empty() && !line.starts_with('#'))
    });
    filled
        .map(|text| {
            let value: serde_json::Value = serde_saphyr::from_str(text)?;
            Ok(DynamicObject::deserialize(value)?)
        })
        .collect()
}

/// A namespace of one test.
#[derive(Clone, Debug)]
pub struct Namespace {
    /// Where it is.
    pub cluster: Cluster,
    /// As in `metadata.name`.
    pub name: String,
}

impl Namespace {
    /// Deletes it with everything in it, which takes its time while the next story begins:
    /// [`Cluster::delete_leftovers`] waits for it.
    ///
    /// # Errors
    /// The API server's words.
    pub async fn delete(self) -> Result<()> {
        let api: Api<KubeNamespace> = Api::all(self.cluster.client.clone());
        let params = DeleteParams::background();
        drop(api.delete(&self.name, &params).await?);
        Ok(())
    }

    /// Applies YAML documents in it.
    ///
    /// # Errors
    /// The API server's words for the first document that it refuses.
    pub async fn apply(&self, yaml: &str) -> Result<()> {
        self.cluster.apply(&self.name, yaml).await
    }

    /// A pod as it would be created in it; nothing is created.
    ///
    /// # Errors
    /// The API server's words, if it would refuse the pod.
    pub async fn try_pod(&self) -> Result<Pod> {
        let api: Api<Pod> = Api::namespaced(self.cluster.client.clone(), &self.name);
        let container = json!({"name": "app", "image": "localhost/weft-echo:dev"});
        let pod = json!({"metadata": {"name": "dry"}, "spec": {"containers": [container]}});
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        Ok(api.create(&dry, &serde_json::from_value(pod)?).await?)
    }
}
