//! RBAC: whether a request or connection may pass. Pure; in flow facts and rules, out flows a verdict.
//!
//! Source: Envoy `rbac_filter`, `config.rbac.v3`. Deny policies stand in a filter before allow
//! policies, so that order of filters is order of evaluation. Nothing here allocates.
//!
//! Some values can be read in several ways: a header that came twice, a host with its port. Whoever
//! chooses a spelling must not choose a policy by it, so what closes takes every reading, and what
//! opens takes the literal one; see [`Reading`].

mod header;

pub use header::matches as header_matches;

use crate::config::{
    HeaderMatch, Permission, Principal, Rbac, RbacAction, RbacPolicy, RbacRules, StringMatch,
};
use crate::data::conn::ConnInfo;
use crate::data::http::head::Request;
use ipnet::IpNet;
use std::net::IpAddr;

/// What is known of a request or connection.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its connection.
    pub conn: &'a ConnInfo,
    /// The request; `None` for TCP, where every condition on HTTP is false.
    pub request: Option<&'a Request>,
    /// The client after `x-forwarded-for` was considered; the peer's for TCP.
    pub remote_ip: IpAddr,
}

/// How a value that can be read in several ways is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// As it stands: where a match opens.
    Literal,
    /// In every way: where a match closes or is only noted.
    Any,
}

impl Reading {
    fn of(action: RbacAction) -> Self {
        match action {
            RbacAction::Allow => Self::Literal,
            RbacAction::Deny | RbacAction::Log => Self::Any,
        }
    }

    /// Below a `not`.
    fn inverted(self) -> Self {
        match self {
            Self::Literal => Self::Any,
            Self::Any => Self::Literal,
        }
    }
}

/// What one set of rules says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It may pass; the policy that said so, if one did.
    Allowed(Option<&'a str>),
    /// It may not; the `DENY` policy that said so, or none when no `ALLOW` policy matched.
    Denied(Option<&'a str>),
}

/// What a filter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision<'a> {
    /// To be obeyed.
    pub verdict: Verdict<'a>,
    /// To be counted only; `None` without shadow rules.
    pub shadow: Option<Verdict<'a>>,
}

impl<'a> Facts<'a> {
    /// The facts of a TCP connection.
    pub fn tcp(conn: &'a ConnInfo) -> Self {
        Self {
            conn,
            request: None,
            remote_ip: conn.remote.ip(),
        }
    }

    /// The facts of a request. At the edge the client is the peer, else the nearest address that
    /// proxies before us have added (Envoy `use_remote_address`).
    pub fn http(conn: &'a ConnInfo, request: &'a Request, at_the_edge: bool) -> Self {
        let peer = conn.remote.ip();
        let forwarded = request.fields.all("x-forwarded-for").last();
        let nearest = forwarded.filter(|_| !at_the_edge).and_then(|list| {
            let text = std::str::from_utf8(list).ok()?;
            text.rsplit(',').next()?.trim().parse().ok()
        });
        Self {
            conn,
            request: Some(request),
            remote_ip: nearest.unwrap_or(peer),
        }
    }
}

impl Verdict<'_> {
    /// Whether it may pass.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// Envoy's `RESPONSE_CODE_DETAILS` of a refusal.
    pub fn details(&self) -> String {
        let policy = match self {
            Self::Allowed(policy) | Self::Denied(policy) => policy.unwrap_or("none"),
        };
        // Envoy writes spaces as underscores, so that the field stays one word.
        format!(
            "rbac_access_denied_matched_policy[{}]",
            policy.replace(' ', "_")
        )
    }
}

/// Evaluates `rbac` for `facts`.
pub fn decide<'a>(rbac: &'a Rbac, facts: &Facts<'_>) -> Decision<'a> {
    Decision {
        verdict: rbac
            .rules
            .as_ref()
            .map_or(Verdict::Allowed(None), |rules| evaluate(rules, facts)),
        shadow: rbac.shadow.as_ref().map(|rules| evaluate(rules, facts)),
    }
}

fn evaluate<'a>(rules: &'a RbacRules, facts: &Facts<'_>) -> Verdict<'a> {
    let reading = Reading::of(rules.action);
    let matched = rules
        .policies
        .iter()
        .find(|(_, policy)| policy_matches(policy, facts, reading));
    let name = matched.map(|(name, _)| &**name);
    match (rules.action, name) {
        (RbacAction::Allow, None) => Verdict::Denied(None),
        (RbacAction::Deny, Some(name)) => Verdict::Denied(Some(name)),
        (RbacAction::Allow, Some(_)) | (RbacAction::Deny, None) | (RbacAction::Log, _) => {
            Verdict::Allowed(name)
        }
    }
}

fn policy_matches(policy: &RbacPolicy, facts: &Facts<'_>, reading: Reading) -> bool {
    let mut permissions = policy.permissions.iter();
    let mut principals = policy.principals.iter();
    permissions.any(|permission| permits(permission, facts, reading))
        && principals.any(|principal| is_principal(principal, facts, reading))
}

fn permits(permission: &Permission, facts: &Facts<'_>, reading: Reading) -> bool {
    let port = facts.conn.local.port();
    match permission {
        Permission::Any => true,
        Permission::And(all) => all.iter().all(|one| permits(one, facts, reading)),
        Permission::Or(any) => any.iter().any(|one| permits(one, facts, reading)),
        Permission::Not(inner) => !permits(inner, facts, reading.inverted()),
        Permission::Header(header) => has_header(header, facts, reading),
        Permission::UrlPath(path) => on_path(path, facts),
        Permission::UriTemplate(template) => facts
            .request
            .is_some_and(|request| template.pattern.is_match(request.path())),
        Permission::DestinationPort(wanted) => port == *wanted,
        Permission::DestinationPortRange(start, end) => (*start..*end).contains(&port),
        Permission::DestinationIp(net) => within(net, facts.conn.local.ip()),
        Permission::ServerName(name) => name.matches(facts.conn.sni.as_deref().unwrap_or_default()),
    }
}

fn is_principal(principal: &Principal, facts: &Facts<'_>, reading: Reading) -> bool {
    match principal {
        Principal::Any => true,
        Principal::And(all) => all.iter().all(|one| is_principal(one, facts, reading)),
        Principal::Or(any) => any.iter().any(|one| is_principal(one, facts, reading)),
        Principal::Not(inner) => !is_principal(inner, facts, reading.inverted()),
        Principal::Authenticated(name) => is_authenticated(name.as_ref(), facts),
        Principal::DirectRemoteIp(net) => within(net, facts.conn.remote.ip()),
        Principal::RemoteIp(net) => within(net, facts.remote_ip),
        Principal::Header(header) => has_header(header, facts, reading),
        Principal::UrlPath(path) => on_path(path, facts),
        // Nothing here writes metadata: a claim that nobody verified is an absent one.
        Principal::Metadata(_) => false,
    }
}

/// Only a verified certificate authenticates. Without URI names Envoy looks at DNS names, then the
/// subject.
fn is_authenticated(name: Option<&StringMatch>, facts: &Facts<'_>) -> bool {
    let Some(peer) = &facts.conn.peer else {
        return false;
    };
    let Some(name) = name else { return true };
    if let Some(uri) = &peer.uri {
        return name.matches(uri);
    }
    if !peer.dns.is_empty() {
        return peer.dns.iter().any(|dns| name.matches(dns));
    }
    name.matches(&peer.subject)
}

fn has_header(header: &HeaderMatch, facts: &Facts<'_>, reading: Reading) -> bool {
    facts
        .request
        .is_some_and(|request| header::policy_matches(header, request, reading))
}

fn on_path(path: &StringMatch, facts: &Facts<'_>) -> bool {
    facts
        .request
        .is_some_and(|request| path.matches(request.path()))
}

/// `::ffff:10.0.0.1` is 10.0.0.1 (RFC 4291 §2.5.5.2).
fn within(net: &IpNet, address: IpAddr) -> bool {
    net.contains(&address.to_canonical())
}

#[cfg(test)]
mod socket_tests;
#[cfg(test)]
mod tests;
