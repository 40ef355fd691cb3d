//! Rules as one nftables transaction.
//!
//! Source: Linux `include/uapi/linux/netfilter/{nfnetlink,nf_tables}.h`. Names below are the
//! header's without their prefixes.

use super::attribute::{ACK, APPEND, Attributes, CREATE, Message, REQUEST};
use super::rules::{Match, Rule, Rules, Verdict};
use ipnet::IpNet;

/// The table that is ours alone.
const TABLE: &str = "weft";
/// `NFPROTO_INET`: both families.
const INET: u8 = 1;
/// `NFNL_SUBSYS_NFTABLES`.
const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEWTABLE: u16 = 0;
const DELTABLE: u16 = 2;
const NEWCHAIN: u16 = 3;
const NEWRULE: u16 = 6;

const PREROUTING: (&str, u32) = ("prerouting", 0);
const OUTPUT: (&str, u32) = ("output", 3);
/// `NF_IP_PRI_NAT_DST`, the place of destination NAT among the hooks.
const PRIORITY: i32 = -100;
const ACCEPT: u32 = 1;
const RETURN: i32 = -5;

/// The register that every expression here uses; register 0 holds the verdict.
const REGISTER: u32 = 1;
const META_OIFNAME: u32 = 7;
const META_SKUID: u32 = 10;
const META_SKGID: u32 = 11;
const META_NFPROTO: u32 = 15;
const META_L4PROTO: u32 = 16;
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;
const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;
/// Bytes of an interface name, padded with zeros.
const INTERFACE_NAME: usize = 16;

/// Everything that the kernel must do at once: put `rules` in place of whatever our table held.
pub(super) fn transaction(rules: &Rules) -> Vec<Message> {
    let mut messages = vec![
        batch(BATCH_BEGIN),
        // Made first, so that deleting it cannot fail; then made afresh.
        table(NEWTABLE, CREATE),
        table(DELTABLE, 0),
        table(NEWTABLE, CREATE),
    ];
    for (hook, list) in [(OUTPUT, &rules.output), (PREROUTING, &rules.prerouting)] {
        messages.push(chain(hook));
        messages.extend(list.iter().map(|each| rule(hook.0, each)));
    }
    messages.push(batch(BATCH_END));
    messages
}

fn batch(kind: u16) -> Message {
    let [high, low] = SUBSYSTEM.to_be_bytes();
    Message::new(
        kind,
        REQUEST,
        "begin or end the transaction",
        &[0, 0, high, low],
    )
}

fn message(kind: u16, flags: u16, purpose: &'static str) -> Message {
    let kind = SUBSYSTEM << 8 | kind;
    Message::new(kind, REQUEST | ACK | flags, purpose, &[INET, 0, 0, 0])
}

fn table(kind: u16, flags: u16) -> Message {
    message(kind, flags, "replace table `inet weft`").with(|to| to.text(1, TABLE))
}

fn chain((name, hook): (&str, u32)) -> Message {
    message(NEWCHAIN, CREATE, "make a nat chain").with(|to| {
        to.text(1, TABLE);
        to.text(3, name);
        to.nested(4, |to| {
            to.number(1, hook);
            to.bytes(2, &PRIORITY.to_be_bytes());
        });
        to.number(5, ACCEPT);
        to.text(7, "nat");
    })
}

fn rule(chain: &str, rule: &Rule) -> Message {
    message(NEWRULE, CREATE | APPEND, "add a redirect rule").with(|to| {
        to.text(1, TABLE);
        to.text(2, chain);
        to.nested(4, |to| {
            for condition in &rule.matches {
                matching(to, *condition);
            }
            verdict(to, rule.verdict);
        });
    })
}

fn matching(to: &mut Attributes<'_>, condition: Match) {
    match condition {
        Match::Tcp => meta(to, META_L4PROTO, EQUAL, &[6]),
        Match::Udp => meta(to, META_L4PROTO, EQUAL, &[17]),
        Match::OutLoopback => {
            let mut name = [0; INTERFACE_NAME];
            name[..2].copy_from_slice(b"lo");
            meta(to, META_OIFNAME, EQUAL, &name);
        }
        Match::Port(port) => destination_port(to, EQUAL, port),
        Match::NotPort(port) => destination_port(to, NOT_EQUAL, port),
        Match::Source(range) => address(to, Side::Source, EQUAL, range),
        Match::Destination(range) => address(to, Side::Destination, EQUAL, range),
        Match::NotDestination(range) => address(to, Side::Destination, NOT_EQUAL, range),
        Match::User(id) => meta(to, META_SKUID, EQUAL, &id.to_ne_bytes()),
        Match::NotUser(id) => meta(to, META_SKUID, NOT_EQUAL, &id.to_ne_bytes()),
        Match::Group(id) => meta(to, META_SKGID, EQUAL, &id.to_ne_bytes()),
        Match::NotGroup(id) => meta(to, META_SKGID, NOT_EQUAL, &id.to_ne_bytes()),
    }
}

fn verdict(to: &mut Attributes<'_>, verdict: Verdict) {
    match verdict {
        Verdict::Return => expression(to, "immediate", |to| {
            to.number(1, 0);
            to.nested(2, |to| {
                to.nested(2, |to| to.bytes(1, &RETURN.to_be_bytes()));
            });
        }),
        Verdict::Redirect(port) => {
            expression(to, "immediate", |to| {
                to.number(1, REGISTER);
                to.nested(2, |to| to.bytes(1, &port.to_be_bytes()));
            });
            expression(to, "redir", |to| to.number(1, REGISTER));
        }
    }
}

fn destination_port(to: &mut Attributes<'_>, operator: u32, port: u16) {
    payload(to, TRANSPORT_HEADER, 2, 2);
    compare(to, operator, &port.to_be_bytes());
}

#[derive(Clone, Copy)]
enum Side {
    Source,
    Destination,
}

fn address(to: &mut Attributes<'_>, side: Side, operator: u32, range: IpNet) {
    // Family numbers are those of the sockets: AF_INET and AF_INET6.
    let (family, network, mask) = match range {
        IpNet::V4(net) => (
            2,
            net.network().octets().to_vec(),
            net.netmask().octets().to_vec(),
        ),
        IpNet::V6(net) => (
            10,
            net.network().octets().to_vec(),
            net.netmask().octets().to_vec(),
        ),
    };
    let offset = match (range, side) {
        (IpNet::V4(_), Side::Source) => 12,
        (IpNet::V4(_), Side::Destination) => 16,
        (IpNet::V6(_), Side::Source) => 8,
        (IpNet::V6(_), Side::Destination) => 24,
    };
    meta(to, META_NFPROTO, EQUAL, &[family]);
    payload(to, NETWORK_HEADER, offset, network.len());
    expression(to, "bitwise", |to| {
        to.number(1, REGISTER);
        to.number(2, REGISTER);
        to.number(3, length(&mask));
        to.nested(4, |to| to.bytes(1, &mask));
        to.nested(5, |to| to.bytes(1, &vec![0; mask.len()]));
    });
    compare(to, operator, &network);
}

fn meta(to: &mut Attributes<'_>, key: u32, operator: u32, value: &[u8]) {
    expression(to, "meta", |to| {
        to.number(1, REGISTER);
        to.number(2, key);
    });
    compare(to, operator, value);
}

fn payload(to: &mut Attributes<'_>, base: u32, offset: u32, bytes: usize) {
    expression(to, "payload", |to| {
        to.number(1, REGISTER);
        to.number(2, base);
        to.number(3, offset);
        to.number(
            4,
            u32::try_from(bytes).expect("a field of a header is short"),
        );
    });
}

fn compare(to: &mut Attributes<'_>, operator: u32, value: &[u8]) {
    expression(to, "cmp", |to| {
        to.number(1, REGISTER);
        to.number(2, operator);
        to.nested(3, |to| to.bytes(1, value));
    });
}

fn expression(to: &mut Attributes<'_>, name: &str, fill: impl FnOnce(&mut Attributes<'_>)) {
    to.nested(1, |to| {
        to.text(1, name);
        to.nested(2, fill);
    });
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("an address is short")
}
