//! All AuthorizationPolicies, and which of them count for one workload.

use super::{Policy, check, parse};
use crate::mesh::Mesh;
use crate::objects::Objects;
use crate::problem::Problem;
use std::collections::BTreeMap;
use std::sync::Arc;
use weft_api::networking::selector::selects;

/// The AuthorizationPolicies of the mesh.
#[derive(Clone, Debug, Default)]
pub struct Authorization {
    root_namespace: String,
    /// By namespace, in order of names.
    namespaces: BTreeMap<String, Vec<Scoped>>,
}

/// A policy and the labels of the pods that it counts for.
#[derive(Clone, Debug)]
struct Scoped {
    labels: BTreeMap<String, String>,
    policy: Arc<Policy>,
}

impl Authorization {
    /// The policies in `objects`, and what is wrong with them.
    pub(crate) fn build(mesh: &Mesh, objects: &Objects) -> (Self, Vec<Problem>) {
        let mut namespaces: BTreeMap<String, Vec<Scoped>> = BTreeMap::new();
        let mut problems = Vec::new();
        for object in objects.authorization_policies.values() {
            let (dry_run, found) = check::dry_run(object);
            problems.extend(found);
            problems.extend(check::object(object));
            let (policy, found) = parse::policy(mesh, object, dry_run);
            problems.extend(found);
            problems.extend(check::unverified_tokens(object, &policy));
            if !object.spec.target_refs.is_empty() {
                continue;
            }
            let selector = object.spec.selector.as_ref();
            let scoped = Scoped {
                labels: selector.map_or_else(BTreeMap::new, |all| all.match_labels.clone()),
                policy: Arc::new(policy),
            };
            let namespace = object.meta.key.namespace.clone();
            namespaces.entry(namespace).or_default().push(scoped);
        }
        let root_namespace = mesh.root_namespace.clone();
        let table = Self {
            root_namespace,
            namespaces,
        };
        (table, problems)
    }

    /// The policies for a workload in `namespace` with `labels`: the mesh's, then its namespace's.
    pub(crate) fn of(
        &self,
        namespace: &str,
        labels: &BTreeMap<String, String>,
    ) -> Vec<Arc<Policy>> {
        let own = (namespace != self.root_namespace).then_some(namespace);
        let levels = std::iter::once(self.root_namespace.as_str()).chain(own);
        let policies = levels.flat_map(|level| self.namespaces.get(level).into_iter().flatten());
        policies
            .filter(|scoped| selects(&scoped.labels, labels))
            .map(|scoped| scoped.policy.clone())
            .collect()
    }
}
