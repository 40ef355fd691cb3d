//! What makes a pass happen: changes of MeshOperators and of everything that was made for them.

use crate::context::Context;
use crate::error::Error;
use crate::inspect::kinds;
use crate::reconcile::reconcile;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::runtime::controller::{Action, Config as ControllerConfig, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Config;
use kube::{Api, Client, Resource, ResourceExt};
use std::sync::Arc;
use std::time::Duration;
use weft_api::labels::{INJECTED, OWNER};
use weft_api::networking::Gateway;
use weft_api::operator::MeshOperator;

/// Time from a change to the pass, so that a burst of changes is one pass.
const GATHERING: Duration = Duration::from_millis(300);
/// Time until a pass that ended early is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// Runs passes until `stop` is done. `namespace` is the operator's own, whose Secrets it may watch.
pub async fn run(
    cx: Arc<Context>,
    namespace: &str,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let kube = &cx.kube;
    let controller = Controller::new(Api::<MeshOperator>::all(kube.clone()), Config::default())
        .with_config(ControllerConfig::default().concurrency(1))
        .graceful_shutdown_on(stop);
    let meshes = controller.store();
    let controller = watch_made(controller, kube, namespace);
    let every = move |store: Store<MeshOperator>| move || all(&store);
    let (for_namespaces, for_pods) = (every(meshes.clone()), every(meshes.clone()));
    let for_gateways = every(meshes);
    controller
        .watches(
            Api::<PartialObjectMeta<Namespace>>::all(kube.clone()),
            Config::default(),
            move |_| for_namespaces(),
        )
        .watches(
            Api::<PartialObjectMeta<Pod>>::all(kube.clone()),
            Config::default().labels(&format!("{INJECTED}=true")),
            move |_| for_pods(),
        )
        .watches(
            Api::<Gateway>::all(kube.clone()),
            Config::default(),
            move |_| for_gateways(),
        )
        .run(gathered, retry, cx)
        .for_each(|passed| async move {
            if let Err(error) = passed {
                tracing::debug!(%error, "a pass ended early");
            }
        })
        .await;
}

/// A pass, a little after what called for it. Changes in between are part of it, those during it make one more.
///
/// Not the controller's `debounce`, which begins anew at each change: pods that come all the time would keep every pass away.
async fn gathered(mesh: Arc<MeshOperator>, cx: Arc<Context>) -> Result<Action, Error> {
    tokio::time::sleep(GATHERING).await;
    reconcile(mesh, cx).await
}

/// Adds watches on everything that is made for a mesh.
fn watch_made(
    mut controller: Controller<MeshOperator>,
    kube: &Client,
    namespace: &str,
) -> Controller<MeshOperator> {
    let made = || Config::default().labels(OWNER);
    for resource in kinds() {
        let api = Api::<DynamicObject>::all_with(kube.clone(), &resource);
        controller = controller.watches_with(api, resource, made(), |object| owner(&object));
    }
    controller
        .watches(Api::<Pod>::all(kube.clone()), made(), |pod| owner(&pod))
        .watches(
            Api::<Secret>::namespaced(kube.clone(), namespace),
            made(),
            |secret| owner(&secret),
        )
}

/// The MeshOperator that `object` was made for.
fn owner<K: Resource>(object: &K) -> Option<ObjectRef<MeshOperator>> {
    object.labels().get(OWNER).map(|name| ObjectRef::new(name))
}

fn all(meshes: &Store<MeshOperator>) -> Vec<ObjectRef<MeshOperator>> {
    meshes
        .state()
        .iter()
        .map(|mesh| ObjectRef::from_obj(mesh.as_ref()))
        .collect()
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature is the controller's"
)]
fn retry(mesh: Arc<MeshOperator>, error: &Error, cx: Arc<Context>) -> Action {
    cx.metrics.failed(error.reason());
    tracing::warn!(mesh = mesh.name_any(), %error, "a pass ended early; it is tried again");
    Action::requeue(RETRY)
}
