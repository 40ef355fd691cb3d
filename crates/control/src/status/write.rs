//! Reading and writing of conditions, for every kind that can have faults.

use super::decide::ACCEPTED;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use std::collections::BTreeMap;
use weft_model::{Key, ObjectRef};

/// Field manager of our one condition; everything else in a status is somebody else's.
const MANAGER: &str = "weft-control";
/// Kinds that can have faults: group, version, kind.
const KINDS: [(&str, &str, &str); 9] = [
    ("networking.istio.io", "v1", "DestinationRule"),
    ("networking.istio.io", "v1", "Gateway"),
    ("networking.istio.io", "v1", "ServiceEntry"),
    ("networking.istio.io", "v1", "Sidecar"),
    ("networking.istio.io", "v1", "VirtualService"),
    ("networking.istio.io", "v1", "WorkloadEntry"),
    ("security.istio.io", "v1", "AuthorizationPolicy"),
    ("security.istio.io", "v1", "PeerAuthentication"),
    ("", "v1", "Service"),
];

pub(super) struct Writer {
    client: Client,
}

impl Writer {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The conditions that an earlier leader has written.
    pub(super) async fn shown(&self) -> Result<BTreeMap<ObjectRef, Condition>, kube::Error> {
        let mut shown = BTreeMap::new();
        for (group, version, kind) in KINDS {
            let api: Api<DynamicObject> =
                Api::all_with(self.client.clone(), &resource(group, version, kind));
            let objects = match api.list(&ListParams::default()).await {
                Ok(list) => list.items,
                // The kind's definition is not there yet, so nothing of it is.
                Err(kube::Error::Api(status)) if status.is_not_found() => Vec::new(),
                Err(error) => return Err(error),
            };
            for object in &objects {
                if let Some(condition) = own(object) {
                    let key = Key::new(object.namespace().unwrap_or_default(), object.name_any());
                    shown.insert(ObjectRef { group, kind, key }, condition);
                }
            }
        }
        Ok(shown)
    }

    /// Writes the changes and keeps the books in `shown`; false if something has to be tried again.
    pub(super) async fn apply(
        &self,
        changes: Vec<(ObjectRef, Option<Condition>)>,
        shown: &mut BTreeMap<ObjectRef, Condition>,
    ) -> bool {
        let mut settled = true;
        for (object, condition) in changes {
            match self.write(&object, condition.as_ref()).await {
                Ok(()) => {}
                // The object is gone, and its condition with it.
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                // Trying again would not help; the next change of the verdict does.
                Err(kube::Error::Api(status)) if status.is_forbidden() || status.is_conflict() => {
                    tracing::warn!(?object, %status, "condition refused");
                }
                Err(error) => {
                    tracing::warn!(?object, %error, "condition not written; trying again");
                    settled = false;
                    continue;
                }
            }
            match condition {
                Some(condition) => _ = shown.insert(object, condition),
                None => _ = shown.remove(&object),
            }
        }
        settled
    }

    async fn write(
        &self,
        object: &ObjectRef,
        condition: Option<&Condition>,
    ) -> Result<(), kube::Error> {
        let known = KINDS
            .iter()
            .find(|(group, _, kind)| (*group, *kind) == (object.group, object.kind));
        let Some(&(group, version, kind)) = known else {
            tracing::warn!(?object, "a kind whose faults cannot be shown");
            return Ok(());
        };
        let resource = resource(group, version, kind);
        let Key { namespace, name } = &object.key;
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), namespace, &resource);
        let status = condition.map_or_else(
            || json!({}),
            |condition| json!({ "conditions": [condition] }),
        );
        let body = json!({
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": { "name": name, "namespace": namespace },
            "status": status,
        });
        api.patch_status(name, &PatchParams::apply(MANAGER), &Patch::Apply(&body))
            .await
            .map(drop)
    }
}

fn resource(group: &str, version: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

/// Our condition on an object, if we have written one.
fn own(object: &DynamicObject) -> Option<Condition> {
    let ours = object
        .managed_fields()
        .iter()
        .any(|entry| entry.manager.as_deref() == Some(MANAGER));
    let conditions = object.data.get("status")?.get("conditions")?.as_array()?;
    let accepted = conditions
        .iter()
        .find(|condition| condition["type"] == ACCEPTED)?;
    ours.then(|| serde_json::from_value(accepted.clone()).ok())?
}
