//! The end of a mesh, in order: refused while pods need it, or sidecars taken out; then the webhook,
//! then everything else.
//!
//! Definitions of kinds stay, because users' objects hang on them; so does the certificate
//! authority, which the next installation adopts.

use crate::ca;
use crate::object::Key;
use crate::plan::everything;
use crate::world::{PodName, World};
use kube::ResourceExt;
use kube::core::ApiResource;
use std::time::Duration;
use weft_api::operator::{MeshOperator, UninstallPolicy};

/// Annotation that removes the mesh although pods need it.
pub const FORCE: &str = "weft.mesh/force-delete";
/// Finalizer by which Kubernetes waits for the operator.
pub const FINALIZER: &str = "weft.mesh/operator";

/// What a removal does next.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Nothing: pods of these namespaces have sidecars, with counts.
    Refuse(Vec<(String, usize)>),
    /// Nothing: these refuse plaintext, so pods without sidecars could not be called.
    Strict(Vec<String>),
    /// Takes the sidecars out of these.
    Uninject(Vec<PodName>),
    /// Deletes these, and looks again.
    Delete(Vec<(ApiResource, Key)>),
    /// Lets the MeshOperator go. `left` is what could not be removed in time.
    Finish {
        /// Secrets that stay.
        kept: Vec<String>,
        /// Objects that are still there after the longest time.
        left: Vec<Key>,
    },
}

/// Decides what the removal of `mesh` does next.
pub fn next(mesh: &MeshOperator, world: &World, secrets: &ApiResource) -> Step {
    if world.rival.is_some() {
        return Step::Finish {
            kept: Vec::new(),
            left: Vec::new(),
        }; // it was never brought
    }
    let all = everything(world);
    let webhooks: Vec<_> = all
        .iter()
        .filter(|(_, key)| key.kind == "MutatingWebhookConfiguration")
        .cloned()
        .collect();
    match held_by(mesh, world) {
        Some(UninstallPolicy::BlockIfInUse) => {
            return Step::Refuse(world.users.clone().into_iter().collect());
        }
        Some(UninstallPolicy::Uninject) if !world.strict.is_empty() => {
            return Step::Strict(world.strict.clone());
        }
        Some(UninstallPolicy::Uninject) if webhooks.is_empty() => {
            return Step::Uninject(world.injected.clone());
        }
        Some(UninstallPolicy::Uninject | UninstallPolicy::Force) | None => {}
    }
    if !webhooks.is_empty() {
        return Step::Delete(webhooks);
    }
    let namespace = crate::resolve::namespace(&mesh.spec);
    let doomed = doomed_secrets(mesh)
        .into_iter()
        .filter(|name| world.secrets.contains_key(*name));
    let doomed = doomed.map(|name| {
        let key = Key {
            kind: "Secret".to_owned(),
            namespace: namespace.clone(),
            name: name.to_owned(),
        };
        (secrets.clone(), key)
    });
    let rest: Vec<_> = all.into_iter().chain(doomed).collect();
    if rest.is_empty() || late(mesh, world) {
        let kept = [ca::ISSUER, ca::ROOT].map(str::to_owned).into_iter();
        return Step::Finish {
            kept: kept
                .filter(|name| world.secrets.contains_key(name))
                .collect(),
            left: rest.into_iter().map(|(_, key)| key).collect(),
        };
    }
    Step::Delete(rest)
}

/// The policy by which pods with sidecars hold the removal up, if they do.
fn held_by(mesh: &MeshOperator, world: &World) -> Option<UninstallPolicy> {
    let forced = mesh
        .annotations()
        .get(FORCE)
        .is_some_and(|value| value == "true");
    match policy(mesh) {
        UninstallPolicy::Force => None,
        UninstallPolicy::BlockIfInUse | UninstallPolicy::Uninject
            if forced || world.users.is_empty() =>
        {
            None
        }
        patient @ (UninstallPolicy::BlockIfInUse | UninstallPolicy::Uninject) => Some(patient),
    }
}

/// What `mesh` says about pods that still have sidecars.
pub fn policy(mesh: &MeshOperator) -> UninstallPolicy {
    let uninstall = mesh.spec.uninstall.as_ref();
    let policy = uninstall.and_then(|uninstall| uninstall.policy);
    policy.unwrap_or_default()
}

/// Secrets that go with the mesh.
fn doomed_secrets(mesh: &MeshOperator) -> Vec<&'static str> {
    let keep = mesh
        .spec
        .uninstall
        .as_ref()
        .and_then(|uninstall| uninstall.keep_ca)
        .unwrap_or(true);
    match keep {
        true => vec![ca::WEBHOOK],
        false => vec![ca::WEBHOOK, ca::ISSUER, ca::ROOT],
    }
}

/// Whether the removal has taken longer than `uninstall.timeout`, 30 minutes if absent.
fn late(mesh: &MeshOperator, world: &World) -> bool {
    let limit = mesh
        .spec
        .uninstall
        .as_ref()
        .and_then(|uninstall| uninstall.timeout.as_ref());
    let limit = limit.map_or(Duration::from_secs(1800), |limit| limit.length());
    let start = mesh
        .metadata
        .deletion_timestamp
        .as_ref()
        .map(|time| time.0.as_second());
    let limit = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
    start.is_some_and(|start| world.now.unix_timestamp() > start.saturating_add(limit))
}
