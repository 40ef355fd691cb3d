//! Putting delegates into the VirtualServices that name them, and telling both what is wrong.

use super::parse::{check_delegate, own_routes, place, reference};
use super::{Origin, delegate};
use crate::mesh::Mesh;
use crate::objects::{Config, Key, Store};
use crate::problem::{Problem, Severity};
use crate::visibility::Visibility;
use std::collections::BTreeSet;
use std::sync::Arc;
use weft_api::networking::VirtualServiceSpec;
use weft_api::networking::http_route::{Delegate, HttpRoute};

type Object = Config<VirtualServiceSpec>;

/// The VirtualServices that others get routes from.
pub(super) struct Delegates<'a> {
    mesh: &'a Mesh,
    objects: &'a Store<Object>,
    /// Those that are wrong.
    faulty: BTreeSet<Key>,
}

impl<'a> Delegates<'a> {
    /// The delegates among `objects`, and what is wrong with them.
    pub(super) fn of(mesh: &'a Mesh, objects: &'a Store<Object>) -> (Self, Vec<Problem>) {
        let named = named(objects);
        let mut problems = Vec::new();
        let mut faulty = BTreeSet::new();
        for object in objects.values().filter(|object| is_delegate(object)) {
            let key = &object.meta.key;
            if !named.contains(key) {
                problems.push(unused(key));
            }
            if let Err(problem) = check_delegate(mesh, object) {
                problems.push(*problem);
                faulty.insert(key.clone());
            }
        }
        let delegates = Self {
            mesh,
            objects,
            faulty,
        };
        (delegates, problems)
    }

    /// The HTTP routes of `root`, with those of its delegates in their places.
    pub(super) fn expand(
        &self,
        root: &Object,
        problems: &mut Vec<Problem>,
    ) -> Vec<(Origin, HttpRoute)> {
        let mut all = Vec::new();
        for (origin, route) in own_routes(root) {
            match &route.delegate {
                // A route that does something itself as well is refused as a whole.
                Some(to) if !acts(&route) => match self.find(root, to) {
                    Ok(object) => all.extend(self.routes(&route, object, (root, problems))),
                    Err(message) => problems.push(not_found(&origin, message)),
                },
                Some(_) | None => all.push((origin, route)),
            }
        }
        all
    }

    fn find(&self, root: &Object, to: &Delegate) -> Result<&Object, String> {
        let own = &root.meta.key.namespace;
        let namespace = to.namespace.as_ref().filter(|name| !name.is_empty());
        let key = Key::new(namespace.unwrap_or(own), &to.name);
        let name = format!("VirtualService {}/{}", key.namespace, key.name);
        let Some(object) = self.objects.get(&key) else {
            return Err(format!("there is no {name}"));
        };
        let export = object.spec.export_to.iter().map(String::as_str);
        if !is_delegate(object) {
            Err(format!("{name} has hosts of its own"))
        } else if !Visibility::parse(export, &key.namespace).includes(own) {
            Err(format!("{name} is not exported to namespace {own}"))
        } else if self.faulty.contains(&key) {
            Err(format!("{name} is not accepted"))
        } else {
            Ok(object)
        }
    }

    fn routes(
        &self,
        route: &HttpRoute,
        object: &Object,
        (root, problems): (&Object, &mut Vec<Problem>),
    ) -> Vec<(Origin, HttpRoute)> {
        let there = place(self.mesh, &object.meta.key);
        let here = place(self.mesh, &root.meta.key);
        let leaves = own_routes(object);
        let leaves = leaves.map(|(origin, leaf)| (origin, delegate::qualified(&leaf, &there)));
        let merged = delegate::merged(&delegate::qualified(route, &here), leaves.collect());
        let (good, bad): (Vec<_>, Vec<_>) = merged.into_iter().partition(Result::is_ok);
        let bad = bad.into_iter().filter_map(Result::err);
        problems.extend(bad.map(|origin| outside(&origin, &root.meta.key)));
        good.into_iter().filter_map(Result::ok).collect()
    }
}

/// Whether others are meant to get routes from it.
pub(super) fn is_delegate(object: &Arc<Object>) -> bool {
    object.spec.hosts.is_empty()
}

fn acts(route: &HttpRoute) -> bool {
    !route.route.is_empty() || route.redirect.is_some() || route.direct_response.is_some()
}

fn named(objects: &Store<Object>) -> BTreeSet<Key> {
    let routes = objects.values().flat_map(|object| {
        let namespace = &object.meta.key.namespace;
        object.spec.http.iter().map(move |route| (namespace, route))
    });
    let keys = routes.filter_map(|(own, route)| {
        let to = route.delegate.as_ref()?;
        let namespace = to.namespace.as_ref().filter(|name| !name.is_empty());
        Some(Key::new(namespace.unwrap_or(own), &to.name))
    });
    keys.collect()
}

fn unused(key: &Key) -> Problem {
    Problem {
        object: reference(key),
        field: "spec.hosts".into(),
        reason: "NotUsed",
        message: "it names no host, and no VirtualService delegates to it".into(),
        remedy: "name the hosts that are routed, or delegate to it".into(),
        severity: Severity::Warning,
    }
}

fn not_found(origin: &Origin, message: String) -> Problem {
    Problem {
        object: reference(&origin.object),
        field: format!("{}.delegate", origin.field),
        reason: "NotFound",
        message,
        remedy: "the route is left out until it can be used: name a VirtualService without hosts"
            .into(),
        severity: Severity::Error,
    }
}

fn outside(origin: &Origin, root: &Key) -> Problem {
    let Key { namespace, name } = root;
    Problem {
        object: reference(&origin.object),
        field: format!("{}.match", origin.field),
        reason: "Conflict",
        message: format!(
            "VirtualService {namespace}/{name}, which delegates to this one, does not send such requests here"
        ),
        remedy: "narrow the match to what is delegated; the route is left out".into(),
        severity: Severity::Error,
    }
}
