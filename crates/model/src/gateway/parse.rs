//! One Gateway from its object.

use super::tls::termination;
use super::{Gateway, Server, ServerHost, Speaks};
use crate::host::Host;
use crate::objects::{Config, Key};
use crate::problem::{ObjectRef, Problem, Severity};
use crate::protocol::{Handling, Protocol};
use crate::routing::check::{Fault, fault, port};
use crate::routing::of_fault;
use std::collections::BTreeSet;
use weft_api::networking::GatewaySpec;
use weft_api::networking::gateway as api;
use weft_api::networking::gateway::ServerTlsMode as Mode;

/// What `object` says, and what is wrong with it.
pub(super) fn parse(object: &Config<GatewaySpec>) -> (Gateway, Vec<Problem>) {
    let key = &object.meta.key;
    let mut problems = Vec::new();
    let mut servers = Vec::new();
    let mut names = BTreeSet::new();
    for (index, each) in object.spec.servers.iter().enumerate() {
        let at = format!("spec.servers[{index}]");
        problems.extend(notes(&at, each).into_iter().map(|note| warning(key, note)));
        let twice = !names.insert(&each.port.name);
        match server(&at, each, (&key.namespace, twice)) {
            Ok(server) => servers.push(server),
            Err(fault) => problems.push(of_fault(reference(key), fault)),
        }
    }
    let gateway = Gateway {
        key: key.clone(),
        selector: object.spec.selector.clone(),
        servers,
    };
    (gateway, problems)
}

/// The object as problems name it.
pub(super) fn reference(key: &Key) -> ObjectRef {
    ObjectRef {
        group: "networking.istio.io",
        kind: "Gateway",
        key: key.clone(),
    }
}

fn server(at: &str, of: &api::Server, (own, twice): (&str, bool)) -> Result<Server, Fault> {
    if twice {
        let message = format!("another server's port is named `{}` too", of.port.name);
        let remedy = "give each port of a Gateway a name of its own";
        return fault(format!("{at}.port.name"), message, remedy);
    }
    let bind = match of.bind.as_deref().filter(|bind| !bind.is_empty()) {
        None => None,
        Some(bind) => match bind.parse() {
            Ok(address) => Some(address),
            Err(_) => {
                let message = format!("`{bind}` is not an address");
                let remedy = "leave it out for all addresses of the pod";
                return fault(format!("{at}.bind"), message, remedy);
            }
        },
    };
    Ok(Server {
        field: at.to_owned(),
        number: port(&format!("{at}.port.number"), of.port.number)?,
        name: of.port.name.clone(),
        bind,
        hosts: hosts(&format!("{at}.hosts"), &of.hosts, own)?,
        speaks: speaks(at, of)?,
    })
}

fn hosts(at: &str, of: &[String], own: &str) -> Result<Vec<ServerHost>, Fault> {
    if of.is_empty() {
        return fault(at, "it is empty", "name the hosts that are served, or `*`");
    }
    let mut hosts = Vec::new();
    for (index, each) in of.iter().enumerate() {
        let (namespace, host) = match each.split_once('/') {
            None | Some(("*", _)) => (None, each.strip_prefix("*/").unwrap_or(each)),
            Some((".", host)) => (Some(own.to_owned()), host),
            Some((namespace, host)) => (Some(namespace.to_owned()), host),
        };
        let wild = host.strip_prefix('*').unwrap_or(host);
        if host.is_empty() || wild.contains(['*', '/', ':', ' ', '~']) {
            let message = format!("`{each}` is not a host");
            let remedy = "write a name, `*`, or `namespace/name`";
            return fault(format!("{at}[{index}]"), message, remedy);
        }
        let host = Host::new(host);
        hosts.push(ServerHost { namespace, host });
    }
    Ok(hosts)
}

fn speaks(at: &str, of: &api::Server) -> Result<Speaks, Fault> {
    let stated = of.port.protocol.as_str();
    let protocol = Protocol::of_name(stated).filter(|protocol| *protocol != Protocol::Udp);
    let Some(protocol) = protocol else {
        return fault(
            format!("{at}.port.protocol"),
            format!("`{stated}` is not a protocol of gateways"),
            "use HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, TCP, MONGO or TLS",
        );
    };
    let field = format!("{at}.tls");
    match (protocol, &of.tls) {
        (Protocol::Https | Protocol::Tls, None) => fault(
            field,
            "it is missing",
            "set mode, and credentialName where TLS ends",
        ),
        (Protocol::Https | Protocol::Tls, Some(tls)) if tls.https_redirect => {
            let remedy = "redirect on an HTTP port";
            fault(format!("{field}.httpsRedirect"), "this is https", remedy)
        }
        (Protocol::Https, Some(tls)) if !passes(tls) => {
            Ok(Speaks::Https(termination(&field, tls)?))
        }
        (Protocol::Tls, Some(tls)) if !passes(tls) => Ok(Speaks::Tls(termination(&field, tls)?)),
        (Protocol::Https | Protocol::Tls, Some(_)) => Ok(Speaks::Passthrough),
        (_, tls) => plain(&field, protocol, tls.as_ref()),
    }
}

fn passes(tls: &api::ServerTls) -> bool {
    tls.mode.unwrap_or_default() == Mode::Passthrough
}

fn plain(at: &str, protocol: Protocol, tls: Option<&api::ServerTls>) -> Result<Speaks, Fault> {
    let tls = tls.cloned().unwrap_or_default();
    let redirect = tls.https_redirect;
    let others = api::ServerTls {
        https_redirect: false,
        ..tls
    };
    let is_http = protocol.handling() == Handling::Http;
    if others != api::ServerTls::default() {
        let remedy = "use protocol HTTPS or TLS, or remove it";
        return fault(at, "the port speaks plaintext", remedy);
    }
    match (is_http, redirect) {
        (false, true) => {
            let remedy = "remove it, or use protocol HTTP";
            fault(
                format!("{at}.httpsRedirect"),
                "the port does not speak HTTP",
                remedy,
            )
        }
        (true, redirect) => Ok(Speaks::Http { redirect }),
        (false, false) => Ok(Speaks::Tcp),
    }
}

/// What is legal and does nothing.
fn notes(at: &str, of: &api::Server) -> Vec<(String, &'static str)> {
    let tls = of.tls.clone().unwrap_or_default();
    let all = [
        (
            of.default_endpoint.is_some(),
            "defaultEndpoint",
            "requests without a route are answered with 404",
        ),
        (
            of.port.target_port.is_some(),
            "port.targetPort",
            "the gateway's Service says which port of the pod it is",
        ),
        (
            !tls.cipher_suites.is_empty(),
            "tls.cipherSuites",
            "proxies offer AES-GCM and ChaCha20 with forward secrecy, and nothing else",
        ),
        (
            !tls.ecdh_curves.is_empty(),
            "tls.ecdhCurves",
            "proxies offer X25519MLKEM768, X25519, P-256 and P-384",
        ),
    ];
    let found = all.into_iter().filter(|(there, ..)| *there);
    found
        .map(|(_, field, why)| (format!("{at}.{field}"), why))
        .collect()
}

fn warning(key: &Key, (field, message): (String, &'static str)) -> Problem {
    Problem {
        object: reference(key),
        field,
        reason: "NoEffect",
        message: message.into(),
        remedy: "remove it".into(),
        severity: Severity::Warning,
    }
}
