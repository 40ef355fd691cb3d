//! All DestinationRules, and which one counts for a service and a client.

use super::parse::parse;
use super::{Policies, Rule};
use crate::host::Host;
use crate::mesh::Mesh;
use crate::objects::{Config, Key, Objects};
use crate::problem::{ObjectRef, Problem, Severity};
use crate::routing::of_fault;
use crate::service::Service;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use weft_api::networking::DestinationRuleSpec;

/// The DestinationRules of the mesh, merged, by namespace and host.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    exact: BTreeMap<(String, Host), Arc<Rule>>,
    /// Those for `*.…`, by namespace, the longest first.
    wildcards: BTreeMap<String, Vec<Arc<Rule>>>,
    root_namespace: String,
}

impl Traffic {
    /// The DestinationRules in `objects`, and what is wrong with them.
    pub(crate) fn build(mesh: &Mesh, objects: &Objects) -> (Self, Vec<Problem>) {
        let mut sorted: Vec<_> = objects.destination_rules.values().collect();
        sorted.sort_by_key(|object| object.age());
        let mut problems = Vec::new();
        let mut merged: BTreeMap<(String, Host), Rule> = BTreeMap::new();
        for object in sorted {
            match parse(mesh, object) {
                Err(fault) => problems.push(of_fault(reference(object), fault)),
                Ok(rule) => {
                    let key = (object.meta.key.namespace.clone(), rule.host.clone());
                    match merged.get_mut(&key) {
                        Some(older) => problems.extend(merge(object, older, rule)),
                        None => drop(merged.insert(key, rule)),
                    }
                }
            }
        }
        let mut traffic = Self {
            root_namespace: mesh.root_namespace.clone(),
            ..Self::default()
        };
        for ((namespace, host), rule) in merged {
            match host.is_wildcard() {
                false => drop(traffic.exact.insert((namespace, host), Arc::new(rule))),
                true => {
                    let all = traffic.wildcards.entry(namespace).or_default();
                    all.push(Arc::new(rule));
                    all.sort_by_key(|rule| std::cmp::Reverse(rule.host.len()));
                }
            }
        }
        (traffic, problems)
    }

    /// Subsets that some rule gives a service, whoever sees it.
    pub(crate) fn subsets(&self, host: &Host) -> BTreeSet<String> {
        let exact = self.exact.values();
        let rules = exact.chain(self.wildcards.values().flatten());
        let covering = rules.filter(|rule| rule.host.covers(host));
        let subsets = covering.flat_map(|rule| &rule.subsets);
        subsets.map(|subset| subset.name.clone()).collect()
    }

    /// The rules of the services that have one, for a client in `namespace`.
    pub(crate) fn seen(
        &self,
        namespace: &str,
        services: &[Arc<Service>],
    ) -> BTreeMap<Host, Arc<Rule>> {
        let rule = |service: &Arc<Service>| {
            let places = [namespace, &service.key.namespace, &self.root_namespace];
            let mut found = places
                .iter()
                .filter_map(|place| self.find(place, &service.host));
            let rule = found.find(|rule| rule.visibility.includes(namespace))?;
            Some((service.host.clone(), rule.clone()))
        };
        services.iter().filter_map(rule).collect()
    }

    fn find(&self, namespace: &str, host: &Host) -> Option<&Arc<Rule>> {
        let exact = self.exact.get(&(namespace.to_owned(), host.clone()));
        exact.or_else(|| {
            let mut wildcards = self.wildcards.get(namespace)?.iter();
            wildcards.find(|rule| rule.host.covers(host))
        })
    }
}

/// Adds what a younger rule for the same host says and an older one does not.
fn merge(object: &Config<DestinationRuleSpec>, older: &mut Rule, younger: Rule) -> Vec<Problem> {
    let mut lost = Vec::new();
    if younger.policies != Policies::default() {
        match older.policies == Policies::default() {
            true => older.policies = younger.policies,
            false => lost.push("spec.trafficPolicy".to_owned()),
        }
    }
    for (index, subset) in younger.subsets.into_iter().enumerate() {
        match older.subsets.iter().any(|other| other.name == subset.name) {
            true => lost.push(format!("spec.subsets[{index}]")),
            false => older.subsets.push(subset),
        }
    }
    let Key { namespace, name } = &older.key;
    let problem = |field| Problem {
        object: reference(object),
        field,
        reason: "Conflict",
        message: format!("the older DestinationRule {namespace}/{name} says it for this host"),
        remedy: "merge the two objects".into(),
        severity: Severity::Error,
    };
    lost.into_iter().map(problem).collect()
}

fn reference(object: &Config<DestinationRuleSpec>) -> ObjectRef {
    ObjectRef {
        group: "networking.istio.io",
        kind: "DestinationRule",
        key: object.meta.key.clone(),
    }
}
