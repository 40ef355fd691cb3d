//! The operator's own right to Secrets of a namespace.
//!
//! The chart gives it for the operator's namespace alone. Where a mesh or a gateway lives elsewhere,
//! the operator binds itself there to the one ClusterRole that the chart lets it bind, and takes the
//! binding back when the mesh goes: nobody's Secrets are readable before somebody asked for it.

use crate::context::Context;
use crate::resolve::{self, resolve};
use crate::rollout::MANAGER;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::Status;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use weft_api::labels::MANAGED_BY;
use weft_api::operator::MeshOperator;

/// Name of the chart's ClusterRole with the verbs on Secrets, and of the bindings to it.
const NAME: &str = "weft-operator-secrets";
/// The operator's ServiceAccount, and the label of what it makes for itself.
const OPERATOR: &str = "weft-operator";
/// How long a new binding may take to count.
const HEARING: Duration = Duration::from_secs(5);

/// Namespaces outside `own` in which the operator needs Secrets for `mesh`.
pub fn namespaces(mesh: &MeshOperator, own_image: &str, own: &str) -> BTreeSet<String> {
    let gateways = resolve(mesh, own_image)
        .map(|resolved| resolved.mesh.gateways)
        .unwrap_or_default();
    let gateways = gateways.into_iter().map(|gateway| gateway.namespace);
    gateways
        .chain([resolve::namespace(&mesh.spec)])
        .filter(|namespace| namespace != own)
        .collect()
}

/// Binds the operator in the namespaces that `mesh` needs, and makes the mesh's own if it is to come.
/// A gateway's namespace that does not exist, or one that is going, is left to the report of its objects.
///
/// # Errors
/// If the API server does not answer, or the chart's role is missing.
pub async fn open(cx: &Context, mesh: &MeshOperator) -> Result<(), kube::Error> {
    let wanted = namespaces(mesh, &cx.own_image, &cx.namespace);
    if wanted.is_empty() {
        return Ok(());
    }
    let present = bindings(&cx.kube).await?;
    let comes = mesh.metadata.deletion_timestamp.is_none();
    let home = resolve::namespace(&mesh.spec);
    for namespace in wanted.iter().filter(|it| !present.contains(*it)) {
        match bind(cx, namespace).await {
            Err(kube::Error::Api(status))
                if status.is_not_found() && comes && *namespace == home =>
            {
                make(&cx.kube, namespace).await?;
                bind(cx, namespace).await?;
            }
            Err(kube::Error::Api(status)) if status.is_not_found() || going(&status) => continue,
            result => result?,
        }
        tracing::info!(namespace, "bound to ClusterRole {NAME}");
        heard(&cx.kube, namespace).await;
    }
    Ok(())
}

/// Takes all bindings back.
///
/// # Errors
/// If the API server refuses.
pub async fn close(kube: &Client) -> Result<(), kube::Error> {
    for namespace in bindings(kube).await? {
        let api = Api::<RoleBinding>::namespaced(kube.clone(), &namespace);
        match api.delete(NAME, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            result => drop(result?),
        }
    }
    Ok(())
}

/// Namespaces with a binding that `open` made; the chart's own is Helm's.
async fn bindings(kube: &Client) -> Result<BTreeSet<String>, kube::Error> {
    let ours = ListParams::default().labels(&format!("{MANAGED_BY}={OPERATOR},app={OPERATOR}"));
    let list = Api::<RoleBinding>::all(kube.clone()).list(&ours).await?;
    Ok(list.iter().filter_map(ResourceExt::namespace).collect())
}

async fn bind(cx: &Context, namespace: &str) -> Result<(), kube::Error> {
    let ours = PatchParams::apply(MANAGER).force();
    Api::<RoleBinding>::namespaced(cx.kube.clone(), namespace)
        .patch(NAME, &ours, &Patch::Apply(&binding(&cx.namespace)))
        .await?;
    Ok(())
}

fn binding(own: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": NAME, "labels": {MANAGED_BY: OPERATOR, "app": OPERATOR}},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": OPERATOR, "namespace": own}],
    })
}

async fn make(kube: &Client, namespace: &str) -> Result<(), kube::Error> {
    let wanted = Namespace {
        metadata: ObjectMeta {
            name: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    };
    match Api::<Namespace>::all(kube.clone())
        .create(&PostParams::default(), &wanted)
        .await
    {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        result => result.map(drop),
    }
}

/// Whether `refusal` is for the reason that the namespace is being deleted.
fn going(refusal: &Status) -> bool {
    refusal.is_forbidden() && refusal.message.contains("being terminated")
}

/// Waits until the new binding counts; if it never does, the pass says what is refused.
async fn heard(kube: &Client, namespace: &str) {
    let secrets = Api::<Secret>::namespaced(kube.clone(), namespace);
    let one = ListParams::default().limit(1);
    let counts = async {
        while secrets.list_metadata(&one).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let _ = tokio::time::timeout(HEARING, counts).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mesh(spec: Value) -> MeshOperator {
        serde_json::from_value(
            json!({"apiVersion": "weft.mesh/v1alpha1", "kind": "MeshOperator",
            "metadata": {"name": "mesh"}, "spec": spec}),
        )
        .unwrap()
    }

    #[test]
    fn secrets_are_needed_where_the_mesh_and_its_gateways_are() {
        let gateways = json!([{"name": "in", "namespace": "edge", "enabled": true},
            {"name": "beside", "enabled": true}]);
        let table = [
            (json!({}), vec![]),
            (json!({"namespace": "istio-system"}), vec!["istio-system"]),
            (
                json!({"components": {"ingressGateways": gateways}}),
                vec!["edge"],
            ),
        ];
        for (spec, expected) in table {
            let found = namespaces(&mesh(spec.clone()), "weft-operator:dev", "weft-system");
            assert_eq!(found.into_iter().collect::<Vec<_>>(), expected, "{spec}");
        }
    }
}
