//! Which servers share a port of the proxy.

use std::collections::BTreeMap;
use std::net::IpAddr;
use weft_model::gateway::{Edge, Gateway, Server, Speaks};
use weft_model::{Key, ObjectRef, Problem, Severity};

/// Ports of the proxy itself.
const OWN: [u16; 5] = [15000, 15020, 15021, 15053, 15090];
/// The first port that needs no right.
const FIRST: u16 = 1024;

/// A port of the proxy with the servers on it, those of the oldest Gateway first.
pub(super) struct Port<'a> {
    pub(super) address: (Option<IpAddr>, u16),
    pub(super) family: Family,
    pub(super) servers: Vec<Bound<'a>>,
}

/// A server and its Gateway.
#[derive(Clone, Copy)]
pub(super) struct Bound<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) server: &'a Server,
}

/// Servers that can share a port are of one family.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Family {
    /// Plaintext HTTP: the host of a request decides.
    Http,
    /// Bytes: nothing tells servers apart.
    Tcp,
    /// TLS: the name that the client asks for decides.
    Tls,
}

impl Family {
    fn of(server: &Server) -> Self {
        match server.speaks {
            Speaks::Http { .. } => Self::Http,
            Speaks::Tcp => Self::Tcp,
            Speaks::Https(_) | Speaks::Tls(_) | Speaks::Passthrough => Self::Tls,
        }
    }
}

/// All ports, and the servers that cannot have theirs.
pub(super) fn all(edge: &Edge) -> (Vec<Port<'_>>, Vec<Problem>) {
    let mut ports: BTreeMap<_, Port<'_>> = BTreeMap::new();
    let mut problems = Vec::new();
    let gateways = edge.gateways.iter();
    let all =
        gateways.flat_map(|gateway| gateway.servers.iter().map(move |server| (gateway, server)));
    for (gateway, server) in all {
        let bound = Bound { gateway, server };
        let number = edge.port(server);
        if OWN.contains(&number) || number < FIRST {
            problems.push(bound.taken(number));
            continue;
        }
        let address = (server.bind, number);
        let family = Family::of(server);
        let port = ports.entry(address).or_insert_with(|| Port {
            address,
            family,
            servers: Vec::new(),
        });
        match port.family == family {
            true => port.servers.push(bound),
            false => problems.push(bound.conflict(&port.servers[0].gateway.key)),
        }
    }
    (ports.into_values().collect(), problems)
}

impl Bound<'_> {
    fn problem(&self, field: &str, reason: &'static str, message: String) -> Problem {
        Problem {
            object: ObjectRef {
                group: "networking.istio.io",
                kind: "Gateway",
                key: self.gateway.key.clone(),
            },
            field: format!("{}.{field}", self.server.field),
            reason,
            message,
            remedy: String::new(),
            severity: Severity::Error,
        }
    }

    fn taken(&self, number: u16) -> Problem {
        let own = OWN.contains(&number);
        Problem {
            remedy: match own {
                true => "use another port".into(),
                false => {
                    "add the port to the gateway's Service, with a targetPort from 1024".into()
                }
            },
            ..self.problem(
                "port.number",
                "PortTaken",
                match own {
                    true => format!("port {number} is the proxy's own"),
                    false => format!("proxies do not listen on port {number}, which needs a right"),
                },
            )
        }
    }

    fn conflict(&self, winner: &Key) -> Problem {
        let Key { namespace, name } = winner;
        let message =
            format!("Gateway {namespace}/{name} has the port for another kind of protocol");
        Problem {
            remedy: "use another port".into(),
            ..self.problem("port.protocol", "Conflict", message)
        }
    }

    /// Another server on the port has this name.
    pub(super) fn loses(&self, name: &str, winner: &Key) -> Problem {
        let Key {
            namespace,
            name: other,
        } = winner;
        let message = format!("Gateway {namespace}/{other} has {name} on this port");
        Problem {
            remedy: "serve each host once on a port".into(),
            ..self.problem("hosts", "Conflict", message)
        }
    }
}
