//! What listeners and routes point at.

use crate::config::{Action, FilterChain, Listener, RouteTable, Routes, Terminal};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Every cluster that the routes of `table` may send to.
pub(super) fn of_table(table: &RouteTable) -> BTreeSet<Arc<str>> {
    let routes = table.virtual_hosts.iter().flat_map(|host| &host.routes);
    let forwards = routes.filter_map(|route| match &route.action {
        Action::Forward(forward) => Some(forward),
        Action::Redirect(_) | Action::Respond { .. } => None,
    });
    forwards
        .flat_map(|forward| {
            let clusters = forward.clusters.iter().map(|share| &share.name);
            clusters.chain(forward.mirrors.iter().map(|mirror| &mirror.cluster))
        })
        .cloned()
        .collect()
}

/// Every cluster that `listener` itself names, inline routes included.
pub(super) fn of_listener(listener: &Listener) -> BTreeSet<Arc<str>> {
    let mut found = BTreeSet::new();
    for chain in chains(listener) {
        match &chain.terminal {
            Terminal::Tcp(tcp) => found.extend(tcp.clusters.iter().map(|(name, _)| name.clone())),
            Terminal::Http(hcm) => match &hcm.routes {
                Routes::Inline(table) => found.extend(of_table(table)),
                Routes::Named(_) => {}
            },
        }
    }
    found
}

/// The route tables that `listener` asks for by name.
pub(super) fn route_names(listener: &Listener) -> impl Iterator<Item = &Arc<str>> {
    chains(listener).filter_map(|chain| match &chain.terminal {
        Terminal::Http(hcm) => match &hcm.routes {
            Routes::Named(name) => Some(name),
            Routes::Inline(_) => None,
        },
        Terminal::Tcp(_) => None,
    })
}

fn chains(listener: &Listener) -> impl Iterator<Item = &Arc<FilterChain>> {
    listener
        .filter_chains
        .iter()
        .chain(&listener.default_filter_chain)
}
