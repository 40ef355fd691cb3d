//! Filter chains of a port.

use super::ports::{Bound, Port};
use super::{table_of, tls};
use crate::listener::{behind, chain, connection, edge_http, tcp_policies};
use std::collections::BTreeMap;
use weft_model::gateway::{Edge, Speaks, Termination};
use weft_model::routing::{ConnectionMatch, ConnectionRoute, VirtualService};
use weft_model::{Key, Problem, View};
use weft_proto::pb::envoy::config::core::v3::TransportSocket;
use weft_proto::pb::envoy::config::listener::v3::{FilterChain, FilterChainMatch};

/// Conditions that have a chain, and whose. Names come first, then addresses.
type Taken = BTreeMap<(String, Vec<String>), Key>;

/// The chains of all servers of `port`; of two for the same connections the older stays.
pub(super) fn all(view: &View, edge: &Edge, port: &Port<'_>) -> (Vec<FilterChain>, Vec<Problem>) {
    let mut taken = Taken::new();
    let mut problems = Vec::new();
    let mut chains = Vec::new();
    for bound in &port.servers {
        let mut names = Names {
            bound,
            taken: &mut taken,
            problems: &mut problems,
        };
        match &bound.server.speaks {
            // One chain has the requests to all servers of the port.
            Speaks::Http { .. } if !chains.is_empty() => {}
            Speaks::Http { .. } => chains.push(http(view, bound, port)),
            Speaks::Https(own) if edge.has(own) => {
                let names = names.own();
                chains.extend(names.map(|names| https(view, (bound, port), own, names)));
            }
            Speaks::Tls(own) if edge.has(own) => {
                let names = names.own();
                let socket = tls::bytes(view, own);
                chains.extend(names.into_iter().flat_map(|names| {
                    let bytes = bytes(view, bound).into_iter();
                    let named = bytes.map(|chain| with_names(chain, &names));
                    named
                        .map(|chain| behind(socket.clone(), chain))
                        .collect::<Vec<_>>()
                }));
            }
            // Its Gateway says what is wrong with the Secret.
            Speaks::Https(_) | Speaks::Tls(_) => {}
            Speaks::Tcp => chains.extend(names.free(bytes(view, bound))),
            Speaks::Passthrough => chains.extend(names.free(unopened(view, bound))),
        }
    }
    (chains, problems)
}

/// The names that are left for a server.
struct Names<'a> {
    bound: &'a Bound<'a>,
    taken: &'a mut Taken,
    problems: &'a mut Vec<Problem>,
}

impl Names<'_> {
    /// Takes `name` at `addresses`; false if another server has it.
    fn take(&mut self, name: String, addresses: Vec<String>) -> bool {
        let key = &self.bound.gateway.key;
        match self.taken.get(&(name.clone(), addresses.clone())) {
            Some(winner) => {
                self.problems.push(self.bound.loses(&name, winner));
                false
            }
            None => self.taken.insert((name, addresses), key.clone()).is_none(),
        }
    }

    /// The server's own hosts; `None` if others have them all.
    fn own(&mut self) -> Option<Vec<String>> {
        let hosts = self.bound.server.hosts.iter();
        let hosts: Vec<_> = hosts.map(|each| each.host.to_string()).collect();
        let mut free = hosts;
        free.retain(|name| self.take(name.clone(), Vec::new()));
        (!free.is_empty()).then_some(free)
    }

    /// Those of `chains` whose conditions are free.
    fn free(&mut self, chains: Vec<FilterChain>) -> Vec<FilterChain> {
        let mut free = Vec::new();
        for mut chain in chains {
            let mut conditions = chain.filter_chain_match.take().unwrap_or_default();
            let ranges = conditions.prefix_ranges.iter();
            let addresses: Vec<_> = ranges.map(|range| format!("{range:?}")).collect();
            let any = conditions.server_names.is_empty();
            let mut names = match any {
                true => vec!["*".to_owned()],
                false => std::mem::take(&mut conditions.server_names),
            };
            names.retain(|name| self.take(name.clone(), addresses.clone()));
            if !names.is_empty() {
                chain.filter_chain_match = Some(conditions);
                free.push(if any {
                    without_empty(chain)
                } else {
                    with_names(chain, &names)
                });
            }
        }
        free
    }
}

fn without_empty(mut chain: FilterChain) -> FilterChain {
    let empty = FilterChainMatch::default();
    chain.filter_chain_match = chain.filter_chain_match.filter(|it| *it != empty);
    chain
}

fn with_names(mut chain: FilterChain, names: &[String]) -> FilterChain {
    let mut conditions = chain.filter_chain_match.take().unwrap_or_default();
    let any = names.iter().any(|name| name == "*");
    conditions.server_names = if any { Vec::new() } else { names.to_vec() };
    chain.filter_chain_match = Some(conditions);
    without_empty(chain)
}

fn http(view: &View, bound: &Bound<'_>, port: &Port<'_>) -> FilterChain {
    let table = table_of(bound, port).unwrap_or_default();
    chain("", edge_http(view, port.address, &table))
}

fn https(
    view: &View,
    (bound, port): (&Bound<'_>, &Port<'_>),
    own: &Termination,
    names: Vec<String>,
) -> FilterChain {
    let socket: TransportSocket = tls::http(view, own);
    behind(socket, with_names(http(view, bound, port), &names))
}

/// The VirtualServices of a server's Gateway that have a host of its.
fn services<'a>(view: &'a View, bound: &Bound<'a>) -> impl Iterator<Item = &'a VirtualService> {
    let (gateway, server) = (bound.gateway, bound.server);
    let services = view.routing.iter().map(|service| &**service);
    services.filter(move |service| {
        let mut hosts = service.hosts.iter();
        service.counts_for(&gateway.key)
            && hosts.any(|host| {
                let mut own = server.hosts.iter();
                own.any(|own| own.common(host, &service.key.namespace).is_some())
            })
    })
}

/// Routes of bytes, by address.
fn bytes(view: &View, bound: &Bound<'_>) -> Vec<FilterChain> {
    let everything = [ConnectionMatch::default()];
    let mut chains = Vec::new();
    for service in services(view, bound) {
        for route in &service.tcp {
            let matches = match route.matches.as_slice() {
                [] => &everything,
                some => some,
            };
            let here = matches.iter().filter(|each| is_here(each, bound));
            chains.extend(here.map(|each| one(view, bound, (service, route), each)));
        }
    }
    chains
}

/// Routes of TLS by the name that the client asks for, as far as the server has it.
fn unopened(view: &View, bound: &Bound<'_>) -> Vec<FilterChain> {
    let mut chains = Vec::new();
    for service in services(view, bound) {
        let namespace = &service.key.namespace;
        for route in &service.tls {
            for each in route.matches.iter().filter(|each| is_here(each, bound)) {
                let mut each = each.clone();
                each.names.retain(|name| {
                    let mut own = bound.server.hosts.iter();
                    own.any(|own| own.common(name, namespace) == Some(name))
                });
                if !each.names.is_empty() {
                    chains.push(one(view, bound, (service, route), &each));
                }
            }
        }
    }
    chains
}

fn is_here(each: &ConnectionMatch, bound: &Bound<'_>) -> bool {
    each.port.is_none_or(|port| port == bound.server.number)
        && each.source.counts_for(&bound.gateway.key)
}

fn one(
    view: &View,
    bound: &Bound<'_>,
    (service, route): (&VirtualService, &ConnectionRoute),
    each: &ConnectionMatch,
) -> FilterChain {
    let mut chain = connection(view, &service.key, (each, route), bound.server.number);
    let carrier = std::mem::take(&mut chain.filters);
    chain.filters = tcp_policies(view).into_iter().chain(carrier).collect();
    chain
}
