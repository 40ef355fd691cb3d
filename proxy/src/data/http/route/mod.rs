//! Finding the route of a request: host, then path, headers and query. Pure.

mod domains;
mod matches;
mod rewrite;

use domains::Domains;
pub use matches::{query_value, value_of};
pub use rewrite::{redirect, rewrite};

use super::h1::target::host_of;
use super::head::Request;
use crate::config::{Action, Forward, Route, RouteTable, VirtualHost, WeightedCluster};
use std::rc::Rc;
use std::sync::Arc;

/// The route of one request.
#[derive(Clone, Debug)]
pub struct Matched {
    /// The table that it stands in.
    pub table: Rc<Table>,
    /// Its virtual host.
    pub host: Arc<VirtualHost>,
    /// The route.
    pub route: Arc<Route>,
}

/// A route table with an index of its domains.
#[derive(Debug)]
pub struct Table {
    /// The table.
    pub config: Arc<RouteTable>,
    domains: Domains,
}

impl Table {
    /// Indexes `config`.
    pub fn new(config: Arc<RouteTable>) -> Rc<Self> {
        let domains = Domains::new(&config.virtual_hosts);
        Rc::new(Self { config, domains })
    }

    /// The first route that applies to `request`; `dice` is in `0..1_000_000`.
    pub fn find(self: &Rc<Self>, request: &Request, dice: u32) -> Option<Matched> {
        let host = self.virtual_host(&request.authority)?;
        let route = host
            .routes
            .iter()
            .find(|route| matches::applies(route, request, dice))?;
        let (host, route) = (Arc::clone(host), Arc::clone(route));
        Some(Matched {
            table: Rc::clone(self),
            host,
            route,
        })
    }

    fn virtual_host(&self, authority: &str) -> Option<&Arc<VirtualHost>> {
        let bare = host_of(authority);
        let port = authority
            .rsplit_once(':')
            .filter(|_| bare.len() < authority.len());
        let found = match port {
            // Without the root's dot, as `host_of` says it.
            Some((_, port)) if !self.config.ignore_port_in_host && !port.is_empty() => {
                self.domains.find(&format!("{bare}:{port}"))
            }
            _ => self.domains.find(bare),
        };
        found.map(|at| &self.config.virtual_hosts[at])
    }
}

impl Matched {
    /// Where it is forwarded, if it is.
    pub fn forward(&self) -> Option<Arc<Forward>> {
        match &self.route.action {
            Action::Forward(forward) => Some(Arc::clone(forward)),
            Action::Redirect(_) | Action::Respond { .. } => None,
        }
    }
}

/// Chooses one share; `dice` is any number. `None` when no share has weight.
pub fn share(clusters: &[Arc<WeightedCluster>], dice: u64) -> Option<&Arc<WeightedCluster>> {
    if let [only] = clusters {
        return Some(only);
    }
    let total: u64 = clusters
        .iter()
        .map(|cluster| u64::from(cluster.weight))
        .sum();
    let mut at = dice.checked_rem(total)?;
    clusters.iter().find(|cluster| {
        let weight = u64::from(cluster.weight);
        let found = at < weight;
        at = at.saturating_sub(weight);
        found
    })
}

#[cfg(test)]
mod tests;
