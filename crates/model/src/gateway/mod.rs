//! Gateways: where proxies at the edge listen, for which hosts, and with which TLS.
//!
//! A server that is wrong is left out; the others of its Gateway stay. Certificates come from
//! Secrets in the namespace of the proxies and are told to proxies there only.

mod credentials;
mod parse;
mod table;
mod tls;

pub use table::Gateways;

use crate::host::Host;
use crate::objects::Key;
use crate::objects::credential::Credential;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// A Gateway.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gateway {
    /// Namespace and name.
    pub key: Key,
    /// Labels of the pods of its proxies; empty selects all of them.
    pub selector: BTreeMap<String, String>,
    /// Where they listen.
    pub servers: Vec<Server>,
}

/// A port of a Gateway.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Server {
    /// Where it stands in the object, such as `spec.servers[0]`.
    pub field: String,
    /// Port of the gateway's Service.
    pub number: u16,
    /// Name of the port.
    pub name: String,
    /// Address in place of all of the pod's.
    pub bind: Option<IpAddr>,
    /// Hosts that are served; never empty.
    pub hosts: Vec<ServerHost>,
    /// What is spoken.
    pub speaks: Speaks,
}

/// A host that a server serves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerHost {
    /// Namespace of the VirtualServices that may have it; `None` is any.
    pub namespace: Option<String>,
    /// The host; `*` is every one.
    pub host: Host,
}

/// What a server speaks with clients, and what is inside.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Speaks {
    /// HTTP in plaintext.
    Http {
        /// Whether requests are sent to https.
        redirect: bool,
    },
    /// HTTP inside TLS that ends here.
    Https(Termination),
    /// Bytes.
    Tcp,
    /// Bytes inside TLS that ends here.
    Tls(Termination),
    /// TLS that goes on unopened.
    Passthrough,
}

/// TLS that ends at a gateway.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Termination {
    /// What the gateway shows.
    pub certificate: Certificate,
    /// What clients show.
    pub clients: Clients,
    /// Names of which a client's certificate must have one; empty is any.
    pub names: Vec<String>,
    /// Whether only TLS 1.3 is spoken.
    pub newest_only: bool,
}

/// Where a certificate comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Certificate {
    /// The Secret of this name in the namespace of the proxy.
    Secret(String),
    /// The proxy's own, of the mesh.
    Mesh,
}

/// What clients show.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Clients {
    /// Nothing.
    Anonymous,
    /// A certificate of the roots in the Secret of this name, if they have one.
    Optional(String),
    /// A certificate of the roots in the Secret of this name.
    Verified(String),
    /// A certificate of the mesh.
    Mesh,
}

/// What a proxy at the edge does.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Edge {
    /// The Gateways that it serves, the oldest first.
    pub gateways: Vec<Arc<Gateway>>,
    /// Its own port for each port of its Services.
    pub ports: BTreeMap<u16, u16>,
    /// Usable Secrets of its namespace whose certificates its Gateways name.
    pub certificates: BTreeMap<String, Arc<Credential>>,
    /// Usable Secrets with roots of clients, by the name that its Gateways give.
    pub roots: BTreeMap<String, Arc<Credential>>,
}

impl Edge {
    /// Where `server` listens.
    pub fn port(&self, server: &Server) -> u16 {
        let own = self.ports.get(&server.number);
        own.copied().unwrap_or(server.number)
    }

    /// Whether every Secret that `termination` names can be used.
    pub fn has(&self, termination: &Termination) -> bool {
        let own = termination.certificate_secret();
        let clients = termination.roots_secret();
        own.is_none_or(|name| self.certificates.contains_key(name))
            && clients.is_none_or(|name| self.roots.contains_key(name))
    }
}

impl Termination {
    /// The Secret with what it shows.
    pub fn certificate_secret(&self) -> Option<&str> {
        match &self.certificate {
            Certificate::Secret(name) => Some(name),
            Certificate::Mesh => None,
        }
    }

    /// The name of the Secret with the roots of clients.
    pub fn roots_secret(&self) -> Option<&str> {
        match &self.clients {
            Clients::Optional(name) | Clients::Verified(name) => Some(name),
            Clients::Anonymous | Clients::Mesh => None,
        }
    }
}

impl Server {
    /// The TLS that ends here.
    pub fn termination(&self) -> Option<&Termination> {
        match &self.speaks {
            Speaks::Https(tls) | Speaks::Tls(tls) => Some(tls),
            Speaks::Http { .. } | Speaks::Tcp | Speaks::Passthrough => None,
        }
    }
}

impl ServerHost {
    /// What it and a host of a VirtualService in `namespace` have in common: the narrower of the two.
    pub fn common<'a>(&'a self, host: &'a Host, namespace: &str) -> Option<&'a Host> {
        let visible = self.namespace.as_ref().is_none_or(|own| own == namespace);
        if !visible {
            None
        } else if self.host.covers(host) {
            Some(host)
        } else if host.covers(&self.host) {
            Some(&self.host)
        } else {
            None
        }
    }
}
