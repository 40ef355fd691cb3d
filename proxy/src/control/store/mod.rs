//! What the control plane has said so far, and the newest consistent [`Config`] of it. Pure.
//!
//! Make before break: a listener or route table switches only when every cluster that it names has
//! had its first endpoints; until then its former version, or nothing, is in force.

mod references;
mod secrets;
#[cfg(test)]
mod secrets_tests;
#[cfg(test)]
mod tests;

use super::decode::{self, ClusterPart, Fault};
use super::saved::{SavedConfiguration, SavedResource};
use crate::config::{Cluster, Config, Discovery, Endpoints, Listener, Names, RouteTable, Secret};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use weft_proto::pb::google::protobuf::Any;
use weft_proto::type_url::{CLUSTER, ENDPOINTS, LISTENER, NAMES, ROUTE, SECRET};

type Named<T> = BTreeMap<Arc<str>, T>;

/// All resources by type and name, and what is in force.
#[derive(Debug, Default)]
pub struct Store {
    clusters: Named<ClusterPart>,
    endpoints: Named<Endpoints>,
    listeners: Named<Arc<Listener>>,
    routes: Named<Arc<RouteTable>>,
    secrets: Named<Secret>,
    names: Arc<Names>,
    /// Types of which an answer has come at all.
    answered: BTreeSet<&'static str>,
    /// Route tables that the control plane says it does not have.
    absent: BTreeSet<Arc<str>>,
    raw: BTreeMap<(Arc<str>, Arc<str>), SavedResource>,
    published: Arc<Config>,
}

/// A resource that was refused, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub fault: Fault,
}

impl Store {
    /// Takes in new and changed resources; those that are refused leave their last good version.
    pub fn update(&mut self, resources: &[SavedResource]) -> Vec<Refusal> {
        let mut refused = Vec::new();
        for resource in resources {
            match self.take(resource) {
                Ok(()) => self.keep_raw(resource),
                Err(fault) => refused.push(Refusal {
                    name: resource.name.clone(),
                    fault,
                }),
            }
        }
        refused
    }

    /// Forgets resources that the control plane no longer has, and notes that `type_url` was answered.
    pub fn remove(&mut self, type_url: &str, names: &[String]) {
        for name in names {
            let name: Arc<str> = name.as_str().into();
            match type_url {
                CLUSTER => _ = self.clusters.remove(&name),
                LISTENER => _ = self.listeners.remove(&name),
                NAMES => self.names = Arc::default(),
                SECRET => _ = self.secrets.remove(&name),
                ROUTE => {
                    self.routes.remove(&name);
                    self.absent.insert(Arc::clone(&name));
                }
                // Nobody there is an answer too; the cluster itself goes by its own removal.
                ENDPOINTS => _ = self.endpoints.insert(Arc::clone(&name), Arc::default()),
                _ => {}
            }
            self.raw.remove(&(type_url.into(), name));
        }
        let known = [CLUSTER, ENDPOINTS, LISTENER, ROUTE];
        self.answered
            .extend(known.into_iter().find(|known| *known == type_url));
    }

    /// The EDS names that clusters want.
    pub fn wanted_endpoints(&self) -> BTreeSet<String> {
        let names = self.clusters.values().filter_map(|part| part.eds.as_ref());
        names.map(ToString::to_string).collect()
    }

    /// The EDS name of the endpoints that `cluster` wants; `None` if it has its own.
    pub fn endpoints_of(&self, cluster: &str) -> Option<&str> {
        self.clusters.get(cluster)?.eds.as_deref()
    }

    /// The RDS names that listeners want.
    pub fn wanted_routes(&self) -> BTreeSet<String> {
        let listeners = self.listeners.values();
        let names = listeners.flat_map(|listener| references::route_names(listener));
        names.map(ToString::to_string).collect()
    }

    /// The SDS names that listeners want.
    pub fn wanted_secrets(&self) -> BTreeSet<String> {
        let listeners = self.listeners.values();
        let names = listeners.flat_map(|listener| secrets::names(listener));
        names.map(ToString::to_string).collect()
    }

    /// Drops endpoints, routes and secrets that nothing wants any more.
    pub fn forget(&mut self, type_url: &str, names: &[String]) {
        for name in names {
            match type_url {
                ENDPOINTS => _ = self.endpoints.remove(name.as_str()),
                ROUTE => {
                    self.routes.remove(name.as_str());
                    self.absent.remove(name.as_str());
                }
                SECRET => _ = self.secrets.remove(name.as_str()),
                _ => {}
            }
            self.raw.remove(&(type_url.into(), name.as_str().into()));
        }
    }

    /// Whether everything has been answered that a first configuration needs.
    pub fn complete(&self) -> bool {
        let answered = |type_url| self.answered.contains(type_url);
        answered(CLUSTER)
            && answered(LISTENER)
            && self.clusters.values().all(|part| self.warm(part))
            && self
                .wanted_routes()
                .iter()
                .all(|name| self.has_routes(name))
            && self
                .wanted_secrets()
                .iter()
                .all(|name| self.secrets.contains_key(name.as_str()))
    }

    /// The newest consistent configuration; `None` if the one in force is still that.
    pub fn advance(&mut self) -> Option<Arc<Config>> {
        let clusters = self.config_clusters();
        let ready = |names: &BTreeSet<Arc<str>>| {
            // A cluster that nobody has sent does not hold anything up, as in Envoy.
            names
                .iter()
                .all(|name| clusters.contains_key(name) || !self.clusters.contains_key(name))
        };
        let routes = switched(&self.routes, &self.published.routes, |table| {
            ready(&references::of_table(table))
        });
        let filled = self.filled_listeners();
        let listeners = switched(&filled, &self.published.listeners, |listener| {
            ready(&references::of_listener(listener))
                && references::route_names(listener).all(|name| self.has_routes(name))
                && secrets::names(listener).next().is_none()
        });
        let next = Config {
            listeners,
            routes,
            clusters,
            names: Arc::clone(&self.names),
        };
        if same(&next, &self.published) {
            return None;
        }
        self.published = Arc::new(next);
        Some(Arc::clone(&self.published))
    }

    /// Whether a good resource of this type and name is already here.
    pub fn has(&self, resource: &SavedResource) -> bool {
        let key = (
            resource.type_url.as_str().into(),
            resource.name.as_str().into(),
        );
        self.raw.contains_key(&key)
    }

    /// Clusters that a listener names and nobody has sent, each with the listener.
    pub fn unknown_clusters(&self) -> Vec<(Arc<str>, Arc<str>)> {
        let listeners = self.listeners.iter();
        listeners
            .flat_map(|(name, listener)| {
                let clusters = references::of_listener(listener);
                clusters
                    .into_iter()
                    .map(|cluster| (Arc::clone(name), cluster))
            })
            .filter(|(_, cluster)| !self.clusters.contains_key(cluster))
            .collect()
    }

    /// Everything in force, to be kept.
    pub fn saved(&self) -> SavedConfiguration {
        SavedConfiguration {
            resources: self.raw.values().cloned().collect(),
        }
    }

    /// Takes in a kept configuration and says what of it is good: type, name and version.
    pub fn restore(&mut self, saved: &SavedConfiguration) -> Vec<(String, String, String)> {
        for refusal in self.update(&saved.resources) {
            tracing::warn!(name = refusal.name, fault = %refusal.fault, "a saved resource is not used");
        }
        self.answered.extend([CLUSTER, LISTENER]);
        let raw = self.raw.values().cloned();
        raw.map(|r| (r.type_url, r.name, r.version)).collect()
    }

    fn take(&mut self, resource: &SavedResource) -> Result<(), Fault> {
        let any = Any {
            type_url: resource.type_url.clone(),
            value: resource.value.clone(),
        };
        let name: Arc<str> = resource.name.as_str().into();
        match resource.type_url.as_str() {
            CLUSTER => _ = self.clusters.insert(name, decode::cluster(&any)?),
            ENDPOINTS => _ = self.endpoints.insert(name, decode::assignment(&any)?.1),
            LISTENER => insert(&mut self.listeners, name, decode::listener(&any)?),
            NAMES => self.names = Arc::new(decode::names(&any)?),
            SECRET => _ = self.secrets.insert(name, decode::secret(&any)?),
            ROUTE => {
                self.absent.remove(&name);
                insert(&mut self.routes, name, decode::table(&any)?);
            }
            _ => {} // not asked for
        }
        Ok(())
    }

    fn keep_raw(&mut self, resource: &SavedResource) {
        let key = (
            resource.type_url.as_str().into(),
            resource.name.as_str().into(),
        );
        self.raw.insert(key, resource.clone());
    }

    /// Listeners with their secrets, but those whose secrets are missing; unchanged ones are the same
    /// `Arc` as before.
    fn filled_listeners(&self) -> Named<Arc<Listener>> {
        let listeners = self.listeners.iter().map(|(name, listener)| {
            let filled = secrets::filled(listener, &self.secrets);
            let filled = filled.unwrap_or_else(|| Arc::clone(listener));
            let before = self.published.listeners.get(name);
            let same = before.filter(|before| ***before == *filled);
            (Arc::clone(name), same.cloned().unwrap_or(filled))
        });
        listeners.collect()
    }

    fn warm(&self, part: &ClusterPart) -> bool {
        part.eds
            .as_ref()
            .is_none_or(|name| self.endpoints.contains_key(name))
    }

    fn has_routes(&self, name: &str) -> bool {
        self.routes.contains_key(name) || self.absent.contains(name)
    }

    /// Warm clusters with their endpoints; unchanged ones are the same `Arc` as before.
    fn config_clusters(&self) -> Named<Arc<Cluster>> {
        let warm = self.clusters.iter().filter(|(_, part)| self.warm(part));
        warm.map(|(name, part)| {
            let mut cluster = part.cluster.clone();
            if let Some(found) = part.eds.as_ref().and_then(|eds| self.endpoints.get(eds)) {
                cluster.discovery = Discovery::Eds(Arc::clone(found));
            }
            let before = self.published.clusters.get(name);
            let cluster = match before {
                Some(before) if **before == cluster => Arc::clone(before),
                Some(_) | None => Arc::new(cluster),
            };
            (Arc::clone(name), cluster)
        })
        .collect()
    }
}

/// Keeps the former `Arc` if nothing has changed, so that the data path sees it.
fn insert<T: PartialEq>(into: &mut Named<Arc<T>>, name: Arc<str>, value: T) {
    if into.get(&name).is_none_or(|before| **before != value) {
        into.insert(name, Arc::new(value));
    }
}

/// The newest versions that are ready; of others, the version in force.
fn switched<T>(
    newest: &Named<Arc<T>>,
    in_force: &Named<Arc<T>>,
    ready: impl Fn(&T) -> bool,
) -> Named<Arc<T>> {
    newest
        .iter()
        .filter_map(|(name, value)| {
            let chosen = if ready(value) {
                Some(value)
            } else {
                in_force.get(name)
            };
            Some((Arc::clone(name), Arc::clone(chosen?)))
        })
        .collect()
}

fn same(a: &Config, b: &Config) -> bool {
    unchanged(&a.listeners, &b.listeners)
        && unchanged(&a.routes, &b.routes)
        && unchanged(&a.clusters, &b.clusters)
        && a.names == b.names
}

fn unchanged<T>(a: &Named<Arc<T>>, b: &Named<Arc<T>>) -> bool {
    let same = |(name, value)| {
        b.get::<Arc<str>>(name)
            .is_some_and(|old| Arc::ptr_eq(old, value))
    };
    a.len() == b.len() && a.iter().all(same)
}
