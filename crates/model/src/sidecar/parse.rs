//! One Sidecar from its object, and what of it is not applied.

use super::check::{self, Found};
use super::{Egress, EgressPort, Ingress, Namespace, Pattern, Sidecar};
use crate::host::Host;
use crate::mesh::Mesh;
use crate::objects::Config;
use crate::problem::Problem;
use crate::protocol::Protocol;
use crate::routing::Destination;
use crate::routing::check::{Fault, fault, port};
use crate::traffic::{Pool, pool};
use crate::view::Unknown;
use std::net::{IpAddr, SocketAddr};
use weft_api::networking::SidecarSpec;
use weft_api::networking::sidecar::{self as api, CaptureMode, OutboundTrafficMode};
use weft_api::networking::traffic_policy::ConnectionPool;
use weft_api::networking::virtual_service::Destination as ApiDestination;

/// What `object` says, and what is wrong with it.
pub(super) fn parse(mesh: &Mesh, object: &Config<SidecarSpec>) -> (Sidecar, Vec<Problem>) {
    let spec = &object.spec;
    let mut found = Found::new(&object.meta.key);
    let selector = spec.workload_selector.clone().unwrap_or_default();
    let mut ingress: Vec<Ingress> = Vec::new();
    for (index, each) in spec.ingress.iter().enumerate() {
        let at = format!("spec.ingress[{index}]");
        match self::ingress(&at, each) {
            Err(fault) => found.fault(fault),
            Ok(parsed) if ingress.iter().any(|other| other.number == parsed.number) => {
                found.twice(&at, parsed.number);
            }
            Ok(parsed) => ingress.push(parsed),
        }
    }
    let sidecar = Sidecar {
        key: object.meta.key.clone(),
        selector: selector.labels,
        egress: egress(spec, &mut found),
        unknown: unknown(mesh, object, &mut found),
        ingress,
        pool: limits(
            "spec.inboundConnectionPool",
            spec.inbound_connection_pool.as_ref(),
            &mut found,
        ),
    };
    check::policy(mesh, spec, &mut found);
    (sidecar, found.problems)
}

fn limits(at: &str, of: Option<&ConnectionPool>, found: &mut Found) -> Option<Pool> {
    match pool(at, of?) {
        Ok(pool) => Some(pool),
        Err(fault) => {
            found.fault(fault);
            None
        }
    }
}

fn unknown(mesh: &Mesh, object: &Config<SidecarSpec>, found: &mut Found) -> Option<Unknown> {
    let policy = object.spec.outbound_traffic_policy.as_ref()?;
    let mode = policy.mode.unwrap_or_default();
    if let Some(proxy) = &policy.egress_proxy {
        let namespace = &object.meta.key.namespace;
        return Some(match egress_proxy(mesh, namespace, (mode, proxy)) {
            Ok(through) => Unknown::Through(through),
            Err(fault) => {
                found.fault(fault);
                Unknown::Refuse
            }
        });
    }
    match mode {
        OutboundTrafficMode::RegistryOnly => Some(Unknown::Refuse),
        OutboundTrafficMode::AllowAny => Some(Unknown::Pass),
        OutboundTrafficMode::AllowAnyDynamicDns => {
            found.unsupported(
                "spec.outboundTrafficPolicy.mode",
                "ALLOW_ANY_DYNAMIC_DNS is not supported yet; it counts as REGISTRY_ONLY",
                "use ALLOW_ANY or REGISTRY_ONLY",
            );
            Some(Unknown::Refuse)
        }
    }
}

/// A service through which unknown destinations are reached. One that cannot be read lets nothing
/// pass: it was meant to see everything.
fn egress_proxy(
    mesh: &Mesh,
    namespace: &str,
    (mode, of): (OutboundTrafficMode, &ApiDestination),
) -> Result<Destination, Fault> {
    const AT: &str = "spec.outboundTrafficPolicy.egressProxy";
    if mode != OutboundTrafficMode::AllowAny {
        let remedy = "set mode ALLOW_ANY, or leave it out";
        return fault(AT, "it is for mode ALLOW_ANY", remedy);
    }
    if of.host.is_empty() || of.host.contains('*') {
        return fault(
            format!("{AT}.host"),
            format!("`{}` is not one service", of.host),
            "name one",
        );
    }
    let number = of.port.map_or(0, |port| port.number);
    Ok(Destination {
        host: Host::resolve(&of.host, namespace, &mesh.cluster_domain),
        subset: of.subset.clone().unwrap_or_default(),
        port: Some(port(&format!("{AT}.port.number"), number)?),
    })
}

/// An egress list that is there but cannot be read is a list that lets in nothing.
fn egress(spec: &SidecarSpec, found: &mut Found) -> Option<Vec<Egress>> {
    if spec.egress.is_empty() {
        return None;
    }
    let mut parsed: Vec<Egress> = Vec::new();
    for (index, each) in spec.egress.iter().enumerate() {
        let at = format!("spec.egress[{index}]");
        let port = match egress_port(&at, each) {
            Ok(port) => port,
            Err(fault) => {
                found.fault(fault);
                continue;
            }
        };
        let number = |of: &Option<EgressPort>| of.as_ref().map(|port| port.number);
        if parsed
            .iter()
            .any(|other| number(&other.port) == number(&port))
        {
            found.twice(&at, number(&port).unwrap_or_default());
            continue;
        }
        let mut egress = Egress {
            port,
            ..Egress::default()
        };
        hosts(&at, &each.hosts, &mut egress, found);
        parsed.push(egress);
    }
    Some(parsed)
}

fn hosts(at: &str, texts: &[String], egress: &mut Egress, found: &mut Found) {
    if texts.is_empty() {
        found.fault(Fault {
            field: format!("{at}.hosts"),
            message: "it is empty".into(),
            remedy: "name services as namespace/name, or `~/*` for none",
        });
    }
    for (index, text) in texts.iter().enumerate() {
        let field = format!("{at}.hosts[{index}]");
        let excluded = text.strip_prefix('~').filter(|rest| !rest.starts_with('/'));
        match pattern(excluded.unwrap_or(text)) {
            // `~/…` is no service at all.
            Ok(None) => {}
            Ok(Some(pattern)) if excluded.is_some() => egress.except.push(pattern),
            Ok(Some(pattern)) => egress.hosts.push(pattern),
            Err(message) => found.host(&field, text, message),
        }
    }
}

/// `namespace/name`; `None` for the namespace `~`.
fn pattern(text: &str) -> Result<Option<Pattern>, &'static str> {
    let Some((namespace, name)) = text.split_once('/') else {
        return Err("it has no namespace");
    };
    if name != "*" && !check::is_host(name) {
        return Err("it has no name of services behind the slash");
    }
    let namespace = match namespace {
        "~" => return Ok(None),
        "*" => Namespace::Any,
        "." => Namespace::Own,
        name if check::is_label(name) => Namespace::Named(name.to_owned()),
        _ => return Err("it has no namespace before the slash"),
    };
    Ok(Some(Pattern {
        namespace,
        host: Host::new(name),
    }))
}

fn protocol(at: &str, of: &api::SidecarPort) -> Result<Option<Protocol>, Fault> {
    match Protocol::of_name(&of.protocol) {
        Some(Protocol::Udp) | None if !of.protocol.is_empty() => fault(
            format!("{at}.port.protocol"),
            format!("`{}` is not a protocol that the mesh carries", of.protocol),
            "use HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP or TLS",
        ),
        known => Ok(known),
    }
}

fn place(at: &str, bind: &str) -> Result<Option<IpAddr>, Fault> {
    match (bind, bind.parse()) {
        ("", _) => Ok(None),
        (_, Ok(address)) => Ok(Some(address)),
        (unix, Err(_)) if unix.starts_with("unix://") => fault(
            format!("{at}.bind"),
            "Unix sockets are not supported",
            "write an IP address",
        ),
        (text, Err(_)) => fault(
            format!("{at}.bind"),
            format!("`{text}` is not an IP address"),
            "write one, such as 127.0.0.1",
        ),
    }
}

fn egress_port(at: &str, of: &api::Egress) -> Result<Option<EgressPort>, Fault> {
    let bound = of.capture_mode == CaptureMode::None;
    let place = place(at, &of.bind)?;
    let Some(stated) = &of.port else {
        return match (place, bound) {
            (None, false) => Ok(None),
            _ => fault(
                format!("{at}.port"),
                "it is absent, and bind and captureMode NONE are for one port",
                "name the port, or leave out bind and captureMode",
            ),
        };
    };
    Ok(Some(EgressPort {
        number: port(&format!("{at}.port.number"), stated.number)?,
        protocol: protocol(at, stated)?,
        // Nothing is sent to other addresses by itself.
        place: place.or(bound.then_some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST))),
        bound,
    }))
}

fn ingress(at: &str, of: &api::Ingress) -> Result<Ingress, Fault> {
    if of.tls.is_some() {
        return fault(
            format!("{at}.tls"),
            "TLS of the listener's own is not supported",
            "leave it out: the mesh's mutual TLS is there already",
        );
    }
    if of.capture_mode == CaptureMode::None
        || place(at, &of.bind)?.is_some_and(|ip| !ip.is_unspecified())
    {
        return fault(
            format!("{at}.captureMode"),
            "ports of the pod are captured, on all its addresses",
            "leave out bind and captureMode",
        );
    }
    let number = port(&format!("{at}.port.number"), of.port.number)?;
    Ok(Ingress {
        number,
        protocol: protocol(at, &of.port)?,
        endpoint: endpoint(&format!("{at}.defaultEndpoint"), &of.default_endpoint)?,
        pool: match &of.connection_pool {
            Some(limits) => Some(pool(&format!("{at}.connectionPool"), limits)?),
            None => None,
        },
    })
}

fn endpoint(field: &str, text: &str) -> Result<Option<SocketAddr>, Fault> {
    match (text, text.parse::<SocketAddr>()) {
        ("", _) => Ok(None),
        (_, Ok(address)) if address.ip().is_loopback() || address.ip().is_unspecified() => {
            Ok(Some(address))
        }
        (unix, Err(_)) if unix.starts_with("unix://") => fault(
            field,
            "Unix sockets are not supported",
            "let the application listen on 127.0.0.1",
        ),
        _ => fault(
            field,
            format!("`{text}` is no place of the application"),
            "write 127.0.0.1:<port>, [::1]:<port>, 0.0.0.0:<port> or [::]:<port>",
        ),
    }
}
