//! AuthorizationPolicies: who may do what with a workload.
//!
//! Policies of the workload's namespace and of the root namespace count together, those that select
//! the workload or nothing. `CUSTOM` goes first, then `DENY`, then `ALLOW`; with no `ALLOW` policy all
//! that is left passes, with one only what a rule of it matches. Source: Istio
//! `pilot/pkg/security/authz`.
//!
//! A fault never opens anything. Where a match opens (`ALLOW`), nothing matches by what cannot be
//! read; where it closes or is only noted, everything does. What is right beside it stays in force.

mod check;
mod parse;
mod table;
mod template;
mod value;

pub use table::Authorization;

use crate::objects::Key;
use ipnet::IpNet;

/// An AuthorizationPolicy.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Policy {
    /// Namespace and name.
    pub key: Key,
    /// What a match means.
    pub action: Action,
    /// Counted only, never enforced (Istio's annotation `istio.io/dry-run`).
    pub dry_run: bool,
    /// One that matches is enough; none of them matches nothing.
    pub rules: Vec<Rule>,
}

/// What it means that a rule of a policy matches.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Action {
    /// An external service decides. As none is asked yet, it is refused.
    Custom,
    /// It is noted.
    Audit,
    /// It is refused.
    Deny,
    /// It passes, and what no rule of any such policy matches does not.
    Allow,
}

impl Action {
    /// Whether what is not known for sure matches: so that it closes, or is noted, rather than opens.
    pub fn matches_in_doubt(self) -> bool {
        match self {
            Self::Custom | Self::Audit | Self::Deny => true,
            Self::Allow => false,
        }
    }
}

/// Conditions on who does what.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Rule {
    /// Its place in the object.
    pub index: usize,
    /// Whether it asks for something that only HTTP requests have, be it in a part that cannot be read.
    pub asks_http: bool,
    /// All of one of these; empty is anybody.
    pub sources: Vec<Vec<Condition>>,
    /// All of one of these; empty is anything.
    pub operations: Vec<Vec<Condition>>,
    /// All of these.
    pub conditions: Vec<Condition>,
}

impl Rule {
    /// Every condition in it.
    pub fn all(&self) -> impl Iterator<Item = &Condition> {
        let alternatives = self.sources.iter().chain(&self.operations);
        alternatives.flatten().chain(&self.conditions)
    }
}

/// One property of a request or connection: one of some values and none of others.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Condition {
    /// One of these; empty asks for nothing.
    pub any_of: Vec<Test>,
    /// None of these.
    pub none_of: Vec<Test>,
}

impl Condition {
    /// Whether it looks at something that only HTTP requests have.
    pub fn is_http(&self) -> bool {
        self.any_of.iter().chain(&self.none_of).any(Test::is_http)
    }
}

/// One property and one value.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Test {
    /// The peer's verified identity, without `spiffe://`.
    Principal(Pattern),
    /// The namespace in it; `*` stands for any text.
    Namespace(String),
    /// The service account in it: namespace and name.
    ServiceAccount(String, String),
    /// The trust domain in it.
    TrustDomain(Pattern),
    /// Issuer and subject of the request's verified token.
    RequestPrincipal(Pattern, Pattern),
    /// A claim of the request's verified token, by its path.
    Claim(Vec<String>, Pattern),
    /// The address of the peer's socket.
    PeerIp(IpNet),
    /// The address of the client, as proxies before say.
    ClientIp(IpNet),
    /// The address that the peer wanted to reach.
    DestinationIp(IpNet),
    /// The port of the pod.
    DestinationPort(u16),
    /// The server name of the TLS connection.
    ServerName(Pattern),
    /// The authority; case is ignored.
    Host(Pattern),
    /// The method.
    Method(Pattern),
    /// The path without query, in normal form.
    Path(PathPattern),
    /// A header field, by its name in lower case.
    Header(String, Pattern),
}

impl Test {
    /// Whether only HTTP requests have it.
    pub fn is_http(&self) -> bool {
        match self {
            Self::Principal(_)
            | Self::Namespace(_)
            | Self::ServiceAccount(..)
            | Self::TrustDomain(_)
            | Self::PeerIp(_)
            | Self::ClientIp(_)
            | Self::DestinationIp(_)
            | Self::DestinationPort(_)
            | Self::ServerName(_) => false,
            Self::RequestPrincipal(..)
            | Self::Claim(..)
            | Self::Host(_)
            | Self::Method(_)
            | Self::Path(_)
            | Self::Header(..) => true,
        }
    }
}

/// A condition on a text.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Pattern {
    /// It is there and not empty.
    Present,
    /// It is this.
    Exact(String),
    /// It begins with this.
    Prefix(String),
    /// It ends with this.
    Suffix(String),
}

impl Pattern {
    /// Istio's reading: `*`, `*x`, `x*`, or as it stands.
    pub fn of(text: &str) -> Self {
        match (text.strip_prefix('*'), text.strip_suffix('*')) {
            (Some(""), _) => Self::Present,
            (Some(end), _) => Self::Suffix(end.to_owned()),
            (None, Some(start)) => Self::Prefix(start.to_owned()),
            (None, None) => Self::Exact(text.to_owned()),
        }
    }
}

/// A condition on a path.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum PathPattern {
    /// As a text.
    Text(Pattern),
    /// Segments in which `{*}` is any one, and a final `{**}` the rest.
    Template(String),
}
