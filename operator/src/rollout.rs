//! Writing the difference between plan and cluster, and nothing where there is none.

use crate::object::{Key, Object};
use crate::pace::Pace;
use crate::plan::Plan;
use crate::world::World;
use kube::api::{DeleteParams, Patch, PatchParams, PropagationPolicy};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::Instant;
use weft_api::labels::OWNER;

/// Our name among those who manage fields.
pub const MANAGER: &str = "weft-operator";
/// Annotation with the hash of what was applied, so that removed fields are noticed too.
const APPLIED: &str = "weft.mesh/applied";

/// What became of a plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Objects that were written.
    pub written: Vec<Key>,
    /// Objects that were not, and why.
    pub failures: Vec<Failure>,
}

/// Why an object was not written.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Somebody else made an object of this name.
    #[error("{0} exists and was not made for this mesh; rename or delete it")]
    InTheWay(Key),
    /// Somebody else changes it back all the time.
    #[error("{0} is changed back by {1} again and again; make that program leave it alone")]
    Thrashing(Key, String),
    /// The API server refused.
    #[error("{0} cannot be written: {1}")]
    Refused(Key, kube::Error),
}

/// Carries out `plan`; a failure of one object does not keep the others.
pub async fn apply(kube: &Client, plan: &Plan, world: &World, pace: &Pace) -> Outcome {
    let mut outcome = Outcome::default();
    for (resource, key) in &plan.deletes {
        match delete(kube, resource, key).await {
            Ok(()) => outcome.written.push(key.clone()),
            Err(error) => outcome.failures.push(Failure::Refused(key.clone(), error)),
        }
    }
    for object in &plan.writes {
        let key = object.key();
        match put(kube, object, world.owned.get(&key), pace).await {
            Ok(true) => outcome.written.push(key),
            Ok(false) => {}
            Err(failure) => outcome.failures.push(failure),
        }
    }
    outcome
}

/// Deletes one object and, before it, what depends on it.
///
/// # Errors
/// If the API server refuses; an object that is gone already is no error.
pub async fn delete(kube: &Client, resource: &ApiResource, key: &Key) -> Result<(), kube::Error> {
    let policy = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Foreground),
        ..DeleteParams::default()
    };
    match api(kube, resource, &key.namespace)
        .delete(&key.name, &policy)
        .await
    {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}

/// Makes the live object as it should be; tells whether that took a write.
async fn put(
    kube: &Client,
    object: &Object,
    live: Option<&DynamicObject>,
    pace: &Pace,
) -> Result<bool, Failure> {
    let key = object.key();
    let wanted = stamped(object);
    let api = api(kube, &object.resource, &key.namespace);
    let refused = |error| Failure::Refused(key.clone(), error);
    let live = match live {
        Some(live) => Some(live.clone()),
        None => mine(&api, object, &key).await?,
    };
    if let Some(live) = &live {
        if covers(&json!(live), &wanted) {
            return Ok(false);
        }
        // The API server writes `1000m` as `1`: only its own answer shows whether anything changes.
        let dry = PatchParams::apply(MANAGER).force().dry_run();
        let would = api
            .patch(&key.name, &dry, &Patch::Apply(&wanted))
            .await
            .map_err(refused)?;
        if content(&would) == content(live) {
            return Ok(false);
        }
        // What was applied before and is different now was changed by somebody else.
        let changed_back = live.annotations().get(APPLIED).map(String::as_str) == applied(&wanted);
        if changed_back && !pace.admits(&key, Instant::now()) {
            return Err(Failure::Thrashing(key.clone(), other_manager(live)));
        }
    }
    let force = PatchParams::apply(MANAGER).force();
    api.patch(&key.name, &force, &Patch::Apply(&wanted))
        .await
        .map_err(refused)?;
    Ok(true)
}

/// The live object of the same name, which the list of ours did not have: a Secret, a namespace,
/// or one that somebody else made.
async fn mine(
    api: &Api<DynamicObject>,
    object: &Object,
    key: &Key,
) -> Result<Option<DynamicObject>, Failure> {
    let live = api.get_opt(&key.name).await;
    let live = live.map_err(|error| Failure::Refused(key.clone(), error))?;
    let owner = object.value.labels().get(OWNER);
    // A Secret with our name is examined before; whoever made it, it is meant for the mesh.
    match live {
        Some(live) if key.kind != "Secret" && live.labels().get(OWNER) != owner => {
            Err(Failure::InTheWay(key.clone()))
        }
        live => Ok(live),
    }
}

/// `object` with the hash of itself.
fn stamped(object: &Object) -> Value {
    let mut value = json!(object.value);
    let hash = Sha256::digest(value.to_string());
    let hash: String = hash
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    value["metadata"]["annotations"][APPLIED] = hash.into();
    value
}

/// The hash that [`stamped`] gave.
fn applied(stamped: &Value) -> Option<&str> {
    stamped["metadata"]["annotations"][APPLIED].as_str()
}

/// Whether `live` has all of `wanted`.
fn covers(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, value)| live.get(name).is_some_and(|live| covers(live, value))),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len()
                && live
                    .iter()
                    .zip(wanted)
                    .all(|(live, wanted)| covers(live, wanted))
        }
        (live, wanted) => live == wanted,
    }
}

/// The object without what the API server keeps of its own.
fn content(object: &DynamicObject) -> Value {
    let mut value = json!(object);
    if let Some(metadata) = value["metadata"].as_object_mut() {
        for own in ["managedFields", "resourceVersion", "generation"] {
            metadata.remove(own);
        }
    }
    if let Some(object) = value.as_object_mut() {
        object.remove("status");
    }
    value
}

/// Who wrote to `live` last, but us.
fn other_manager(live: &DynamicObject) -> String {
    let fields = live.metadata.managed_fields.iter().flatten();
    let other = fields
        .filter(|f| f.manager.as_deref() != Some(MANAGER))
        .max_by_key(|f| f.time.clone());
    other
        .and_then(|f| f.manager.clone())
        .unwrap_or_else(|| "somebody".to_owned())
}

fn api(kube: &Client, resource: &ApiResource, namespace: &str) -> Api<DynamicObject> {
    match namespace {
        "" => Api::all_with(kube.clone(), resource),
        namespace => Api::namespaced_with(kube.clone(), namespace, resource),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_left_alone_when_it_has_all_that_is_wanted() {
        let live = json!({"a": 1, "b": {"c": [1, {"d": 2, "e": 3}]}, "f": "set by others"});
        let table = [
            (json!({"a": 1}), true),
            (json!({"b": {"c": [1, {"d": 2}]}}), true),
            (json!({"a": 2}), false),
            (json!({"g": 1}), false),
            (json!({"b": {"c": [1]}}), false), // an item too many
        ];
        for (wanted, expected) in table {
            assert_eq!(covers(&live, &wanted), expected, "{wanted}");
        }
    }
}
