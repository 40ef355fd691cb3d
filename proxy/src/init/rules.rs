//! The rules of redirection, as values.
//!
//! The order is Istio's (`istio-iptables`), for both families at once: a table of family `inet`.

use super::settings::{Ports, Ranges, Settings};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where captured outbound connections go.
const OUTBOUND: u16 = 15001;
/// Where captured inbound connections go.
const INBOUND: u16 = 15006;
/// Where captured DNS queries go.
const DNS: u16 = 15053;
/// Inbound ports that the proxy itself answers: admin, tunnels, merged metrics, health, metrics.
const OWN_PORTS: [u16; 5] = [15000, 15008, 15020, 15021, 15090];
/// Port of tunnels between proxies, which an application's call to itself must not go through.
const TUNNEL: u16 = 15008;
/// Source addresses of the proxy towards its own application.
const APP_SOURCES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 6)),
    IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6)),
];
/// What an application reaches without leaving its pod.
const LOCALHOSTS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// One condition of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// The packet is TCP.
    Tcp,
    /// The packet is UDP.
    Udp,
    /// It leaves through the loopback interface.
    OutLoopback,
    /// Its destination port is this one.
    Port(u16),
    /// Its destination port is another one.
    NotPort(u16),
    /// Its source is in this range (and of its family).
    Source(IpNet),
    /// Its destination is in this range (and of its family).
    Destination(IpNet),
    /// Its destination is of this range's family but not in the range.
    NotDestination(IpNet),
    /// A process of this user sent it.
    User(u32),
    /// A process of another user sent it.
    NotUser(u32),
    /// A process of this group sent it.
    Group(u32),
    /// A process of another group sent it.
    NotGroup(u32),
}

/// What happens to a connection that a rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes its own way.
    Return,
    /// It goes to this local port; the proxy can ask the kernel where it wanted to go.
    Redirect(u16),
}

/// Conditions that must all hold, and what happens then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// All of these.
    pub matches: Vec<Match>,
    /// The outcome; later rules are not asked.
    pub verdict: Verdict,
}

/// All rules of a pod, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// For connections that begin in the pod.
    pub output: Vec<Rule>,
    /// For connections that arrive.
    pub prerouting: Vec<Rule>,
}

impl Rules {
    /// The rules that `settings` ask for.
    pub fn new(settings: &Settings) -> Self {
        let mut output = excluded(&settings.outbound_ports_exclude);
        output.extend(to_own_application());
        let user = settings.proxy_uid;
        output.extend(owner(Match::User(user), Match::NotUser(user)));
        let group = settings.proxy_gid;
        output.extend(owner(Match::Group(group), Match::NotGroup(group)));
        if settings.dns_capture {
            output.extend(
                [Match::Udp, Match::Tcp].map(|l4| redirect(vec![l4, Match::Port(53)], DNS)),
            );
        }
        output.extend(outbound(settings));
        Self {
            output,
            prerouting: inbound(settings),
        }
    }
}

/// What the proxy sends to the application behind it is captured no second time.
fn to_own_application() -> impl Iterator<Item = Rule> {
    APP_SOURCES
        .into_iter()
        .map(|source| returned(vec![Match::OutLoopback, Match::Source(source.into())]))
}

/// The rules that tell the proxy's own connections from the application's.
fn owner(proxy: Match, other: Match) -> Vec<Rule> {
    // The application called itself by its service: the proxy picked this pod, so it is inbound too.
    let hairpin = LOCALHOSTS.map(|local| {
        let away = Match::NotDestination(local.into());
        redirect(
            vec![
                Match::OutLoopback,
                Match::Tcp,
                away,
                Match::NotPort(TUNNEL),
                proxy,
            ],
            INBOUND,
        )
    });
    let mut rules = Vec::from(hairpin);
    rules.push(returned(vec![Match::OutLoopback, other]));
    rules.push(returned(vec![proxy]));
    rules
}

/// 240.240.0.0/16 and 2001:2::/48, from which services without addresses get theirs.
fn automatic_addresses() -> [IpNet; 2] {
    let v4 = Ipv4Addr::new(240, 240, 0, 0);
    let v6 = Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0);
    [
        IpNet::new_assert(v4.into(), 16),
        IpNet::new_assert(v6.into(), 48),
    ]
}

fn outbound(settings: &Settings) -> Vec<Rule> {
    let included = &settings.outbound_ports;
    let by_port = included
        .iter()
        .map(|port| redirect(vec![Match::Tcp, Match::Port(*port)], OUTBOUND));
    let away = settings
        .outbound_ranges_exclude
        .iter()
        .map(|range| returned(vec![Match::Destination(*range)]));
    // They lead nowhere but through the proxy, which gave them out.
    let automatic = match settings.dns_capture {
        true => automatic_addresses().to_vec(),
        false => Vec::new(),
    };
    let by_range: Vec<_> = match &settings.outbound_ranges {
        Ranges::All => vec![redirect(vec![Match::Tcp], OUTBOUND)],
        Ranges::Only(ranges) => ranges
            .iter()
            .chain(&automatic)
            .map(|range| redirect(vec![Match::Tcp, Match::Destination(*range)], OUTBOUND))
            .collect(),
    };
    by_port.chain(away).chain(by_range).collect()
}

fn inbound(settings: &Settings) -> Vec<Rule> {
    let mut rules = excluded(&OWN_PORTS);
    rules.extend(excluded(&settings.inbound_ports_exclude));
    match &settings.inbound_ports {
        Ports::All => rules.push(redirect(vec![Match::Tcp], INBOUND)),
        Ports::Only(ports) => rules.extend(
            ports
                .iter()
                .map(|port| redirect(vec![Match::Tcp, Match::Port(*port)], INBOUND)),
        ),
    }
    rules
}

fn excluded(ports: &[u16]) -> Vec<Rule> {
    ports
        .iter()
        .map(|port| returned(vec![Match::Tcp, Match::Port(*port)]))
        .collect()
}

fn returned(matches: Vec<Match>) -> Rule {
    Rule {
        matches,
        verdict: Verdict::Return,
    }
}

fn redirect(matches: Vec<Match>, port: u16) -> Rule {
    Rule {
        matches,
        verdict: Verdict::Redirect(port),
    }
}
