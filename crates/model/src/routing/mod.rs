//! VirtualServices: how requests and connections for a host are routed.
//!
//! An object that is wrong anywhere is not applied at all: leaving out one of its routes would send
//! requests to another. What Istio's sidecars do with several objects for a host counts here too:
//! the oldest one has it alone; at gateways their routes are put together.

mod binding;
mod body;
pub(crate) mod check;
mod connections;
mod delegate;
mod destination;
mod filters;
mod headers;
mod http;
mod in_force;
mod notes;
mod parse;
mod roots;
mod table;
mod unknown;

pub use binding::{Binding, Client, Source};
pub(crate) use parse::of_fault;
pub use table::Routing;
pub(crate) use unknown::Known;

use crate::host::Host;
use crate::objects::Key;
use crate::visibility::Visibility;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::time::Duration;

/// A VirtualService, with the routes of its delegates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VirtualService {
    /// Namespace and name.
    pub key: Key,
    /// Names that it is for.
    pub hosts: Vec<Host>,
    /// What it counts for; never empty.
    pub bindings: Vec<Binding>,
    /// Who sees it.
    pub visibility: Visibility,
    /// Routes of requests; the first that matches counts.
    pub routes: Vec<Route>,
    /// Routes of TLS connections that are not opened; the first that matches counts.
    pub tls: Vec<ConnectionRoute>,
    /// Routes of other connections; the first that matches counts.
    pub tcp: Vec<ConnectionRoute>,
}

/// Where in the users' objects something stands.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Origin {
    /// Namespace and name of the VirtualService.
    pub object: Key,
    /// Path of the field.
    pub field: String,
}

/// Where some connections go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConnectionRoute {
    /// Where it stands.
    pub origin: Origin,
    /// One of these must match; empty matches all.
    pub matches: Vec<ConnectionMatch>,
    /// Destinations with a weight above zero; never empty.
    pub destinations: Vec<Weighted>,
}

/// Conditions on a connection that must all hold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ConnectionMatch {
    /// The name that the client asks for is one of these; empty is any.
    pub names: Vec<Host>,
    /// The address that the client called is in one of these; empty is any.
    pub subnets: Vec<IpNet>,
    /// Port that was called.
    pub port: Option<u16>,
    /// Which clients it is for.
    pub source: Source,
}

/// What happens to some requests.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Route {
    /// Where it stands.
    pub origin: Origin,
    /// Name in logs; may be empty.
    pub name: String,
    /// One of these must match; empty matches all.
    pub matches: Vec<Match>,
    /// What is done.
    pub action: Action,
    /// Changes of header fields.
    pub headers: HeaderChanges,
    /// Delays and errors on purpose.
    pub fault: Option<Fault>,
    /// Cross-origin rules.
    pub cors: Option<Cors>,
}

/// Conditions that must all hold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Match {
    /// Name in logs; may be empty.
    pub name: String,
    /// Path.
    pub path: Option<Text>,
    /// Whether case counts in the path.
    pub ignore_case: bool,
    /// Header fields, pseudo ones too, by lower-case name; `None` is presence.
    pub headers: BTreeMap<String, Option<Text>>,
    /// The same, negated.
    pub without_headers: BTreeMap<String, Option<Text>>,
    /// Query parameters; `None` is presence.
    pub query: BTreeMap<String, Option<Text>>,
    /// Port that was called.
    pub port: Option<u16>,
    /// Which clients it is for.
    pub source: Source,
}

/// A condition on a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Text {
    /// Equal.
    Exact(String),
    /// Begins with.
    Prefix(String),
    /// All of it matches; compiles.
    Regex(String),
}

/// What is done with a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// It goes on.
    Forward(Forward),
    /// It is sent elsewhere.
    Redirect(Redirect),
    /// It is answered.
    Respond {
        /// Status.
        status: u16,
        /// Body.
        body: Vec<u8>,
    },
}

/// Where a request goes, and how.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Forward {
    /// Destinations with a weight above zero; never empty.
    pub destinations: Vec<Weighted>,
    /// New path, or in place of the prefix that matched.
    pub path: Option<String>,
    /// Pattern and replacement in the path.
    pub path_regex: Option<(String, String)>,
    /// New host.
    pub authority: Option<String>,
    /// Longest time for a response.
    pub timeout: Option<Duration>,
    /// When it is made again; `None` is the default of the mesh.
    pub retries: Option<Retries>,
    /// Where copies go, and how many in a million.
    pub mirrors: Vec<(Destination, u32)>,
}

/// A destination and its share.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Weighted {
    /// Where to.
    pub destination: Destination,
    /// Relative share.
    pub weight: u32,
    /// Changes of header fields on this way.
    pub headers: HeaderChanges,
}

/// A port of a service, or a subset of its endpoints.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Destination {
    /// The service.
    pub host: Host,
    /// The subset; empty is all of it.
    pub subset: String,
    /// Its port; `None` is its only one, or the one that was called.
    pub port: Option<u16>,
}

/// When a request is made again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Retries {
    /// How often; 0 is never.
    pub attempts: u32,
    /// Longest time for each attempt.
    pub per_try_timeout: Option<Duration>,
    /// Conditions, with commas between them; empty is the default of the mesh.
    pub conditions: String,
    /// Status codes that are conditions.
    pub codes: Vec<u32>,
    /// Whether other localities are preferred.
    pub remote_localities: bool,
    /// Whether endpoints that were tried are left out.
    pub ignore_previous: bool,
    /// First pause.
    pub backoff: Option<Duration>,
}

/// An answer with another address.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Redirect {
    /// New path.
    pub path: Option<String>,
    /// In place of the prefix that matched.
    pub prefix: Option<String>,
    /// New host.
    pub authority: Option<String>,
    /// New scheme.
    pub scheme: Option<String>,
    /// New port.
    pub port: RedirectPort,
    /// Status.
    pub code: u32,
}

/// The port in the address of a redirection.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum RedirectPort {
    /// What Envoy makes of it: the client's own, or the default of a new scheme or host.
    #[default]
    Default,
    /// The one that was called.
    Called,
    /// This one.
    Number(u16),
}

/// Changes of header fields, on the way there and back.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HeaderChanges {
    /// Of the request.
    pub request: Operations,
    /// Of the response.
    pub response: Operations,
}

/// Changes of header fields.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Operations {
    /// Replaced.
    pub set: BTreeMap<String, String>,
    /// Appended.
    pub add: BTreeMap<String, String>,
    /// Removed.
    pub remove: Vec<String>,
    /// The `host` or `:authority` that a request gets instead.
    pub authority: Option<String>,
}

/// Delays and errors on purpose; shares are in a million.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fault {
    /// Share and length of delays.
    pub delay: Option<(u32, Duration)>,
    /// Share and kind of errors.
    pub abort: Option<(u32, Abort)>,
}

/// How a request is answered on purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Abort {
    /// With this HTTP status.
    Http(u32),
    /// With this gRPC status.
    Grpc(u32),
}

/// Cross-origin rules.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Cors {
    /// Origins.
    pub origins: Vec<Text>,
    /// Methods.
    pub methods: Vec<String>,
    /// Header fields that may be sent.
    pub headers: Vec<String>,
    /// Header fields that may be read.
    pub expose: Vec<String>,
    /// How long the answer may be remembered.
    pub max_age: Option<Duration>,
    /// Whether credentials may be sent.
    pub credentials: Option<bool>,
    /// Whether a preflight of another origin ends here instead of going on.
    pub keeps_unmatched: bool,
}

impl VirtualService {
    /// Whether it counts for the Gateway `key`.
    pub fn counts_for(&self, key: &Key) -> bool {
        let is = |binding: &Binding| matches!(binding, Binding::Gateway(own) if own == key);
        self.bindings.iter().any(is)
    }
}
