//! Which filter chain a connection gets.
//!
//! Source: Envoy `filter_chain_manager_impl.cc`: one property after the other, the most specific
//! value wins, and a choice once made is never taken back.

use crate::config::{ChainMatch, FilterChain};
use crate::data::detect::Detected;
use ipnet::IpNet;
use smallvec::SmallVec;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What chains are matched by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Properties<'a> {
    /// Original destination.
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) detected: &'a Detected,
}

/// How well a chain's condition fits: `None` not at all, 0 because it has none.
type Fit = Option<usize>;

/// The position of the chain for these properties.
pub(super) fn select(chains: &[Arc<FilterChain>], properties: &Properties<'_>) -> Option<usize> {
    let mut left: SmallVec<[usize; 16]> = (0..chains.len()).collect();
    let steps = [port, address, server_name, transport, protocol, source];
    for step in steps {
        let fit = |at: &usize| step(&chains[*at].matches, properties);
        let best = left.iter().filter_map(fit).max()?;
        left.retain(|at| fit(at) == Some(best));
    }
    left.first().copied()
}

fn port(matches: &ChainMatch, properties: &Properties<'_>) -> Fit {
    match matches.destination_port {
        None => Some(0),
        Some(port) => (port == properties.local.port()).then_some(1),
    }
}

fn address(matches: &ChainMatch, properties: &Properties<'_>) -> Fit {
    longest_prefix(&matches.prefix_ranges, properties.local.ip())
}

fn source(matches: &ChainMatch, properties: &Properties<'_>) -> Fit {
    longest_prefix(&matches.source_prefix_ranges, properties.remote.ip())
}

fn longest_prefix(ranges: &[IpNet], address: IpAddr) -> Fit {
    if ranges.is_empty() {
        return Some(0);
    }
    let address = address.to_canonical();
    let matching = ranges.iter().filter(|net| net.contains(&address));
    matching.map(|net| usize::from(net.prefix_len()) + 1).max()
}

/// An exact name beats the longest wildcard.
fn server_name(matches: &ChainMatch, properties: &Properties<'_>) -> Fit {
    if matches.server_names.is_empty() {
        return Some(0);
    }
    let sni = properties.detected.sni.as_deref()?;
    let fit = |name: &Arc<str>| match name.strip_prefix('*') {
        Some(suffix) => {
            (sni.len() > suffix.len() && sni.ends_with(suffix)).then(|| suffix.len() + 1)
        }
        None => (**name == *sni).then_some(usize::MAX),
    };
    matches.server_names.iter().filter_map(fit).max()
}

fn transport(matches: &ChainMatch, properties: &Properties<'_>) -> Fit {
    match matches.transport {
        None => Some(0),
        Some(transport) => (transport == properties.detected.transport).then_some(1),
    }
}

/// What the client would like best counts most.
fn protocol(matches: &ChainMatch, properties: &Properties<'_>) -> Fit {
    if matches.application_protocols.is_empty() {
        return Some(0);
    }
    let offered = &properties.detected.protocols;
    let first = offered
        .iter()
        .position(|name| matches.application_protocols.contains(name))?;
    Some(offered.len() - first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Transport;
    use crate::data::test_conn;

    fn chains(matches: Vec<(&str, ChainMatch)>) -> Vec<Arc<FilterChain>> {
        matches
            .into_iter()
            .map(|(name, m)| Arc::new(test_conn::chain(name, m)))
            .collect()
    }

    fn chosen(chains: &[Arc<FilterChain>], local: &str, detected: &Detected) -> String {
        let properties = Properties {
            local: local.parse().unwrap(),
            remote: "10.9.0.1:1".parse().unwrap(),
            detected,
        };
        select(chains, &properties).map_or("-".to_owned(), |at| chains[at].name.to_string())
    }

    fn detected(transport: Transport, sni: &str, protocols: &[&str]) -> Detected {
        let sni = (!sni.is_empty()).then(|| sni.into());
        Detected {
            transport,
            sni,
            protocols: protocols.iter().map(|p| (*p).into()).collect(),
        }
    }

    /// The chains of one port under PERMISSIVE with an unnamed protocol, as Istio makes them.
    fn permissive() -> Vec<Arc<FilterChain>> {
        let names = |list: &[&str]| list.iter().map(|name| Arc::from(*name)).collect();
        let on = |transport, protocols: &[&str]| ChainMatch {
            destination_port: Some(80),
            transport,
            application_protocols: names(protocols),
            ..ChainMatch::default()
        };
        let (tls, raw) = (Some(Transport::Tls), Some(Transport::Raw));
        chains(vec![
            (
                "mtls http",
                on(tls, &["istio-http/1.0", "istio-http/1.1", "istio-h2"]),
            ),
            ("plain http", on(raw, &["http/1.1", "h2c"])),
            ("mtls tcp", on(tls, &["istio-peer-exchange", "istio"])),
            ("plain tcp", on(raw, &[])),
            ("foreign tls", on(tls, &[])),
            ("other port", ChainMatch::default()),
        ])
    }

    #[test]
    #[rustfmt::skip]
    fn permissive_chains_tell_protocols_apart() {
        use Transport::{Raw, Tls};
        let table = [
            ("10.0.0.1:80", Tls, &["istio-h2", "istio", "h2"][..],         "mtls http"),
            ("10.0.0.1:80", Tls, &["istio"],                               "mtls tcp"),
            ("10.0.0.1:80", Tls, &["istio", "istio-h2"],                   "mtls tcp"),   // the client's order
            ("10.0.0.1:80", Tls, &["h2", "http/1.1"],                      "foreign tls"),
            ("10.0.0.1:80", Tls, &[],                                      "foreign tls"),
            ("10.0.0.1:80", Raw, &["http/1.1"],                            "plain http"),
            ("10.0.0.1:80", Raw, &["http/1.0"],                            "plain tcp"),
            ("10.0.0.1:80", Raw, &[],                                      "plain tcp"),
            ("10.0.0.1:81", Tls, &["istio"],                               "other port"),
        ];
        for (local, transport, protocols, expected) in table {
            assert_eq!(chosen(&permissive(), local, &detected(transport, "", protocols)), expected, "{local} {protocols:?}");
        }
    }

    #[test]
    fn a_matching_port_is_never_taken_back() {
        let strict = ChainMatch {
            destination_port: Some(80),
            transport: Some(Transport::Tls),
            ..ChainMatch::default()
        };
        let chains = chains(vec![("strict", strict), ("rest", ChainMatch::default())]);
        assert_eq!(chosen(&chains, "10.0.0.1:80", &Detected::default()), "-");
        assert_eq!(chosen(&chains, "10.0.0.1:81", &Detected::default()), "rest");
    }

    #[test]
    #[rustfmt::skip]
    fn the_longest_prefix_and_the_closest_name_win() {
        let nets = |text: &[&str]| text.iter().map(|t| t.parse().unwrap()).collect();
        let sni = |text: &[&str]| text.iter().map(|t| Arc::from(*t)).collect();
        let by_net = |list| ChainMatch { prefix_ranges: nets(list), ..ChainMatch::default() };
        let by_name = |list| ChainMatch { server_names: sni(list), ..ChainMatch::default() };
        let nets = chains(vec![("/8", by_net(&["10.0.0.0/8"])), ("/32", by_net(&["10.0.0.1/32", "10.0.0.2/32"])), ("any", ChainMatch::default())]);
        for (local, expected) in [("10.0.0.2:1", "/32"), ("10.0.0.3:1", "/8"), ("11.0.0.1:1", "any"), ("[::ffff:10.0.0.1]:1", "/32")] {
            assert_eq!(chosen(&nets, local, &Detected::default()), expected, "{local}");
        }
        let names = chains(vec![("exact", by_name(&["a.b.c"])), ("near", by_name(&["*.b.c"])), ("far", by_name(&["*.c"])), ("none", ChainMatch::default())]);
        for (name, expected) in [("a.b.c", "exact"), ("x.b.c", "near"), ("b.c", "far"), ("c", "none"), ("", "none")] {
            assert_eq!(chosen(&names, "10.0.0.1:1", &detected(Transport::Tls, name, &[])), expected, "{name}");
        }
    }
}
