//! Small applications that know nothing of the mesh: a Deployment and a Service of `weft-echo`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Patch, PatchParams};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Namespace, Traffic, eventually, exec, seconds};

/// How an application differs from the plain one.
#[derive(Clone, Debug, Default)]
pub struct AppSettings {
    /// Labels of its pods.
    pub labels: Vec<(&'static str, &'static str)>,
    /// Annotations of its pods.
    pub annotations: Vec<(&'static str, &'static str)>,
    /// The node it must run on.
    pub node: Option<String>,
}

/// A running application.
#[derive(Clone, Debug)]
pub struct App {
    /// Where it runs.
    pub namespace: Namespace,
    /// Also the name of its Service and its ServiceAccount.
    pub name: String,
}

/// What a client got.
#[derive(Clone, Debug, Deserialize)]
pub struct Answer {
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// What the server sent.
    #[serde(default)]
    pub body: String,
    /// Why there was no answer.
    pub error: Option<String>,
}

impl Answer {
    /// What the server saw.
    ///
    /// # Errors
    /// When it was not `weft-echo` that answered.
    pub fn seen(&self) -> Result<Value> {
        serde_json::from_str(&self.body)
            .with_context(|| format!("not an answer of weft-echo: {self:?}"))
    }

    /// A header as the server saw it.
    ///
    /// # Errors
    /// When it was not `weft-echo` that answered.
    pub fn header(&self, name: &str) -> Result<Option<String>> {
        Ok(self.seen()?["headers"][name].as_str().map(str::to_owned))
    }
}

impl Namespace {
    /// Starts applications and waits until each is ready.
    ///
    /// # Errors
    /// Says which pod is not ready, and why.
    pub async fn apps<const N: usize>(&self, names: [&str; N]) -> Result<[App; N]> {
        let mut apps = Vec::new();
        for name in names {
            apps.push(self.start_app(name, &AppSettings::default()).await?);
        }
        for app in &apps {
            app.ready(1).await?;
        }
        apps.try_into()
            .map_err(|_| anyhow::anyhow!("as many applications as names"))
    }

    /// Starts one application and waits until it is ready.
    ///
    /// # Errors
    /// Says why it is not ready.
    pub async fn app(&self, name: &str, settings: &AppSettings) -> Result<App> {
        let app = self.start_app(name, settings).await?;
        app.ready(1).await?;
        Ok(app)
    }

    /// Starts one application in several versions, a Deployment `name-version` for each, and waits until each is ready.
    ///
    /// # Errors
    /// Says why one is not ready.
    pub async fn versions(&self, name: &str, versions: &[&'static str]) -> Result<App> {
        for object in [account(name), service(name)] {
            self.apply(&object.to_string()).await?;
        }
        for version in versions {
            let settings = AppSettings::default();
            let object = deployment(name, Some(version), &settings);
            self.apply(&object.to_string()).await?;
        }
        let app = App {
            namespace: self.clone(),
            name: name.to_owned(),
        };
        app.ready(versions.len()).await?;
        Ok(app)
    }

    /// Starts one application.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn start_app(&self, name: &str, settings: &AppSettings) -> Result<App> {
        for object in [
            account(name),
            service(name),
            deployment(name, None, settings),
        ] {
            self.apply(&object.to_string()).await?;
        }
        Ok(App {
            namespace: self.clone(),
            name: name.to_owned(),
        })
    }
}

impl App {
    /// Waits until so many pods are ready and no others are left.
    ///
    /// # Errors
    /// Says which pod is not ready, and why.
    pub async fn ready(&self, count: usize) -> Result<()> {
        eventually(seconds(120), || async {
            let pods = self.pods().await?;
            let ready = pods.iter().filter(|pod| is_ready(pod)).count();
            if ready != count || pods.len() != count {
                bail!(
                    "{ready} of {count} pods of {} are ready: {}",
                    self.name,
                    describe(&pods)
                );
            }
            Ok(())
        })
        .await
    }

    /// All its pods.
    ///
    /// # Errors
    /// The API server's words.
    pub async fn pods(&self) -> Result<Vec<Pod>> {
        self.namespace
            .cluster
            .pods(&self.namespace.name, &format!("app={}", self.name))
            .await
    }

    /// The name of its first pod.
    ///
    /// # Errors
    /// When there is none.
    pub async fn pod(&self) -> Result<String> {
        let pods = self.pods().await?;
        pods.first()
            .and_then(|pod| pod.metadata.name.clone())
            .with_context(|| format!("{} has no pod", self.name))
    }

    /// Changes the number of its pods.
    ///
    /// # Errors
    /// The API server's words.
    pub async fn scale(&self, replicas: usize) -> Result<()> {
        let api: Api<Deployment> =
            Api::namespaced(self.namespace.cluster.client.clone(), &self.namespace.name);
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        api.patch(&self.name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Deletes all of it, where the namespace stays.
    ///
    /// # Errors
    /// The API server's words.
    pub async fn remove(&self) -> Result<()> {
        for kind in [
            ("v1", "Service"),
            ("v1", "ServiceAccount"),
            ("apps/v1", "Deployment"),
        ] {
            let object =
                json!({"apiVersion": kind.0, "kind": kind.1, "metadata": {"name": self.name}});
            let cluster = &self.namespace.cluster;
            cluster
                .delete(&self.namespace.name, &object.to_string())
                .await?;
        }
        eventually(seconds(60), || async {
            let pods = self.pods().await?;
            ensure!(pods.is_empty(), "{} is still there", self.name);
            Ok(())
        })
        .await
    }

    /// Its address for others.
    pub fn url(&self) -> String {
        format!("http://{}.{}/", self.name, self.namespace.name)
    }

    /// Calls another application once, on a new connection.
    ///
    /// # Errors
    /// When the client cannot be run; that no answer came is in the answer.
    pub async fn call(&self, server: &Self) -> Result<Answer> {
        self.call_with(&server.url(), &[]).await
    }

    /// Calls an address once, with further words for `weft-echo call`, such as `--header`, `name: value`.
    ///
    /// # Errors
    /// When the client cannot be run; that no answer came is in the answer.
    pub async fn call_with(&self, url: &str, words: &[&str]) -> Result<Answer> {
        let words = [&["/weft-echo", "call", url], words].concat();
        let pod = self.pod().await?;
        let output = exec(
            &self.namespace.cluster,
            [&self.namespace.name, &pod, "app"],
            &words,
        )
        .await?;
        serde_json::from_str(&output.stdout).with_context(|| format!("{output:?}"))
    }

    /// Waits until another application answers, and says how long that took.
    ///
    /// # Errors
    /// Its last answer, when the time is over.
    pub async fn await_answer(&self, server: &Self, limit: Duration) -> Result<Duration> {
        let start = Instant::now();
        eventually(limit, || async {
            let answer = self.call(server).await?;
            ensure!(
                answer.status == Some(200),
                "{} does not serve yet: {answer:?}",
                server.name
            );
            Ok(start.elapsed())
        })
        .await
    }

    /// Calls another application at a steady rate, from its first good answer until the traffic is stopped.
    ///
    /// # Errors
    /// When the client cannot be started.
    pub async fn keep_calling(&self, server: &Self, per_second: u32) -> Result<Traffic> {
        self.await_answer(server, seconds(20)).await?;
        let pod = self.pod().await?;
        Traffic::start(&self.namespace, &pod, &server.url(), per_second).await
    }
}

/// Whether a pod is ready and stays.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions
        .into_iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    ready && pod.metadata.deletion_timestamp.is_none()
}

/// Whether a pod has a sidecar.
pub fn is_injected(pod: &Pod) -> bool {
    let spec = pod.spec.clone().unwrap_or_default();
    spec.init_containers
        .into_iter()
        .flatten()
        .chain(spec.containers)
        .any(|container| container.name == "weft-proxy")
}

/// Why pods are not ready, as `kubectl get` and `describe` would say it.
fn describe(pods: &[Pod]) -> String {
    let one = |pod: &Pod| {
        let status = pod.status.clone().unwrap_or_default();
        let states = status
            .init_container_statuses
            .into_iter()
            .flatten()
            .chain(status.container_statuses.into_iter().flatten());
        let words: Vec<_> = states
            .map(|state| format!("{}: {}", state.name, json!(state.state)))
            .collect();
        format!(
            "{} {:?} {}",
            pod.metadata.name.clone().unwrap_or_default(),
            status.phase,
            words.join("; ")
        )
    };
    pods.iter().map(one).collect::<Vec<_>>().join(" | ")
}

fn account(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
}

fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"selector": {"app": name}, "ports": [
            {"name": "http", "port": 80, "targetPort": 8080},
            {"name": "tcp-banner", "port": 9000},
        ]},
    })
}

fn deployment(app: &str, version: Option<&str>, settings: &AppSettings) -> Value {
    let name = version.map_or_else(|| app.to_owned(), |version| format!("{app}-{version}"));
    let selector = version.map_or_else(
        || json!({"app": app}),
        |version| json!({"app": app, "version": version}),
    );
    let mut labels = selector.clone();
    for (key, value) in &settings.labels {
        labels[*key] = json!(value);
    }
    let annotations: Value = settings
        .annotations
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let nodes = settings
        .node
        .as_ref()
        .map_or_else(|| json!({}), |node| json!({"kubernetes.io/hostname": node}));
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": selector}, "template": {
            "metadata": {"labels": labels, "annotations": annotations},
            "spec": {
                "serviceAccountName": app, "nodeSelector": nodes, "terminationGracePeriodSeconds": 20,
                "containers": [
                    {"name": "app", "image": "localhost/weft-echo:dev", "imagePullPolicy": "IfNotPresent",
                     "args": ["serve", "http"], "ports": [{"name": "http", "containerPort": 8080}],
                     "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1}},
                    {"name": "banner", "image": "localhost/weft-echo:dev", "imagePullPolicy": "IfNotPresent",
                     "args": ["serve", "tcp"], "ports": [{"containerPort": 9000}]},
                ],
            },
        }},
    })
}
