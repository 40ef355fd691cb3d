//! The listeners of one worker: which are bound, which take over redirected connections, and which
//! connections must end when one of them changes.

mod socket;

pub use socket::bind;

use super::drain::{Drain, DrainSender, Phase};
use crate::config::{Config, FilterChain, Listener};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

/// One listener in use, with the means to end its connections chain by chain.
#[derive(Debug)]
pub struct Live {
    /// Its configuration.
    pub listener: Arc<Listener>,
    /// Its chains; the default one is last.
    chains: Vec<(Arc<FilterChain>, Rc<DrainSender>)>,
}

/// Every listener of one configuration.
#[derive(Debug, Default)]
pub struct Listeners {
    by_name: HashMap<Arc<str>, Rc<Live>>,
    /// Listeners that are not bound, by the original destination that they stand for.
    redirected: HashMap<SocketAddr, Rc<Live>>,
    /// Ports that redirected connections arrive at.
    own_ports: HashSet<u16>,
}

impl Live {
    /// The chain at `position` of the listener's list, or the default one, and its drain.
    pub fn chain(&self, position: Option<usize>) -> Option<(Arc<FilterChain>, Drain)> {
        let at = match position {
            Some(at) => at,
            None => self
                .listener
                .default_filter_chain
                .as_ref()
                .map(|_| self.chains.len() - 1)?,
        };
        let (chain, drain) = self.chains.get(at)?;
        Some((Arc::clone(chain), drain.subscribe()))
    }

    /// `listener`, whose unchanged chains keep the connections of `before`.
    fn new(listener: &Arc<Listener>, before: Option<&Self>) -> Self {
        let known = |chain: &Arc<FilterChain>| {
            before?
                .chains
                .iter()
                .find(|(old, _)| Arc::ptr_eq(old, chain) || old.serves_as(chain))
        };
        let chains = listener
            .filter_chains
            .iter()
            .chain(&listener.default_filter_chain);
        let chains = chains.map(|chain| match known(chain) {
            Some((_, drain)) => (Arc::clone(chain), Rc::clone(drain)),
            None => (Arc::clone(chain), Rc::default()),
        });
        Self {
            chains: chains.collect(),
            listener: Arc::clone(listener),
        }
    }
}

impl Listeners {
    /// The listeners of `config`. What `before` had and they have not is in the list: connections
    /// that must drain.
    pub fn next(config: &Config, before: &Self) -> (Self, Vec<Rc<DrainSender>>) {
        let mut next = Self::default();
        for (name, listener) in &config.listeners {
            let live = Rc::new(Live::new(
                listener,
                before.by_name.get(name).map(|live| &**live),
            ));
            next.by_name.insert(Arc::clone(name), Rc::clone(&live));
            next.index(&live);
        }
        let kept: HashSet<_> = next.drains().map(Rc::as_ptr).collect();
        let gone = before
            .drains()
            .filter(|drain| !kept.contains(&Rc::as_ptr(drain)));
        let gone = gone.cloned().collect();
        (next, gone)
    }

    /// The listener called `name`.
    pub fn named(&self, name: &str) -> Option<Rc<Live>> {
        self.by_name.get(name).cloned()
    }

    /// Every address to bind, with the name of its listener.
    pub fn bound(&self) -> impl Iterator<Item = (SocketAddr, &Arc<str>)> {
        let bound = self.by_name.iter().filter(|(_, live)| live.listener.bind);
        bound.flat_map(|(name, live)| addresses(&live.listener).map(move |address| (address, name)))
    }

    /// The listener that stands for a redirected connection to `original`: the exact address, else
    /// the wildcard of its family and port.
    pub fn standing_for(&self, original: SocketAddr) -> Option<Rc<Live>> {
        let wildcard = match original {
            SocketAddr::V4(_) => SocketAddr::from(([0, 0, 0, 0], original.port())),
            SocketAddr::V6(_) => SocketAddr::from(([0_u16; 8], original.port())),
        };
        let mut exact = original;
        if let SocketAddr::V6(v6) = &mut exact {
            v6.set_scope_id(0);
            v6.set_flowinfo(0);
        }
        self.redirected
            .get(&exact)
            .or_else(|| self.redirected.get(&wildcard))
            .cloned()
    }

    /// Whether redirected connections arrive at `port`: one that wants to go there is a loop.
    pub fn is_own_port(&self, port: u16) -> bool {
        self.own_ports.contains(&port)
    }

    /// Moves every connection on to `phase`.
    pub fn advance(&self, phase: Phase) {
        self.drains().for_each(|drain| drain.advance(phase));
    }

    fn drains(&self) -> impl Iterator<Item = &Rc<DrainSender>> {
        self.by_name
            .values()
            .flat_map(|live| live.chains.iter().map(|(_, drain)| drain))
    }

    fn index(&mut self, live: &Rc<Live>) {
        let listener = &live.listener;
        if !listener.bind {
            for address in addresses(listener) {
                self.redirected.insert(address, Rc::clone(live));
            }
        } else if listener.use_original_dst || listener.original_dst {
            self.own_ports
                .extend(addresses(listener).map(|address| address.port()));
        }
    }
}

fn addresses(listener: &Listener) -> impl Iterator<Item = SocketAddr> {
    std::iter::once(listener.address).chain(listener.additional_addresses.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ChainMatch;
    use crate::data::test_conn;

    fn unbound(name: &str, address: &str) -> Listener {
        Listener {
            name: name.into(),
            address: address.parse().unwrap(),
            bind: false,
            ..test_conn::listener(Vec::new())
        }
    }

    fn config(listeners: Vec<Listener>) -> Config {
        let named = listeners
            .into_iter()
            .map(|l| (Arc::clone(&l.name), Arc::new(l)));
        Config {
            listeners: named.collect(),
            ..Config::default()
        }
    }

    #[test]
    #[rustfmt::skip]
    fn a_redirected_connection_finds_the_closest_listener() {
        let config = config(vec![
            unbound("exact", "10.96.0.1:80"), unbound("any", "0.0.0.0:80"), unbound("any6", "[::]:80"),
        ]);
        let (listeners, _) = Listeners::next(&config, &Listeners::default());
        let table = [
            ("10.96.0.1:80", Some("exact")),
            ("10.96.0.2:80", Some("any")),
            ("[fd00::1]:80", Some("any6")),
            ("10.96.0.1:81", None),
        ];
        for (original, expected) in table {
            let found = listeners.standing_for(original.parse().unwrap());
            assert_eq!(found.as_ref().map(|live| &*live.listener.name), expected, "{original}");
        }
    }

    #[test]
    fn only_connections_of_changed_chains_drain() {
        let chain = |name: &str, port| {
            let matches = ChainMatch {
                destination_port: Some(port),
                ..ChainMatch::default()
            };
            Arc::new(test_conn::chain(name, matches))
        };
        let with = |chains| config(vec![test_conn::listener(chains)]);
        let (first, gone) = Listeners::next(
            &with(vec![chain("a", 1), chain("b", 2)]),
            &Listeners::default(),
        );
        assert!(gone.is_empty());
        let live = first.named("test").unwrap();
        let [(_, kept), (_, changed)] = [0, 1].map(|at| live.chain(Some(at)).unwrap());
        drop(live);

        let (second, gone) = Listeners::next(&with(vec![chain("b", 3), chain("a", 1)]), &first);
        drop(first);
        gone.iter().for_each(|drain| drain.advance(Phase::Draining));
        assert_eq!(gone.len(), 1);
        assert_eq!(
            (kept.phase(), changed.phase()),
            (Phase::Running, Phase::Draining)
        );
        second.advance(Phase::Draining);
        assert_eq!(kept.phase(), Phase::Draining);
    }
}
