//! One rule: what is asked of the request, and of the peer.

#![expect(
    deprecated,
    reason = "stock Envoy and Istio still read claims from metadata among principals"
)]

use super::text;
use ipnet::IpNet;
use weft_model::authorization::{Condition, PathPattern, Pattern, Rule, Test};
use weft_proto::pack;
use weft_proto::pb::envoy::config::core::v3::{CidrRange, TypedExtensionConfig};
use weft_proto::pb::envoy::config::rbac::v3::permission::{self, Rule as Is, Set as Permissions};
use weft_proto::pb::envoy::config::rbac::v3::principal::{
    self, Authenticated, Identifier, Set as Principals,
};
use weft_proto::pb::envoy::config::rbac::v3::{Permission, Policy, Principal};
use weft_proto::pb::envoy::extensions::path::r#match::uri_template::v3::UriTemplateMatchConfig;
use weft_proto::pb::google::protobuf::UInt32Value;

/// What the connections carry that rules are for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Carried {
    Requests,
    Bytes,
}

/// `rule`, unless it can match nothing that is carried.
///
/// Where only bytes are carried, a rule that asks for something of HTTP matches nothing; in doubt it
/// matches as if it did not ask.
pub(super) fn policy(rule: &Rule, in_doubt: bool, carried: Carried) -> Option<Policy> {
    let blind = carried == Carried::Bytes;
    if blind && !in_doubt && rule.asks_http {
        return None;
    }
    let seen = |condition: &&Condition| !(blind && condition.is_http());
    let (of_request, of_peer): (Vec<&Condition>, Vec<&Condition>) = rule
        .conditions
        .iter()
        .filter(seen)
        .partition(|condition| is_of_request(condition));
    let permissions = alternatives(&rule.operations).map(|operation| {
        let own = operation.iter().filter(seen);
        all_permissions(own.chain(of_request.iter().copied()))
    });
    let principals = alternatives(&rule.sources).map(|source| {
        let own = source.iter().filter(seen);
        all_principals(own.chain(of_peer.iter().copied()))
    });
    Some(Policy {
        permissions: permissions.collect(),
        principals: principals.collect(),
        ..Default::default()
    })
}

/// No alternatives stand for one without conditions.
fn alternatives(of: &[Vec<Condition>]) -> impl Iterator<Item = &[Condition]> {
    let any: &[Condition] = &[];
    let none = of.is_empty().then_some(any);
    none.into_iter().chain(of.iter().map(Vec::as_slice))
}

/// Envoy asks for the destination among permissions.
fn is_of_request(condition: &Condition) -> bool {
    let mut tests = condition.any_of.iter().chain(&condition.none_of);
    tests.any(|test| permission(test).is_some())
}

fn all_permissions<'a>(conditions: impl Iterator<Item = &'a Condition>) -> Permission {
    let or = |tests: &[Test]| {
        let rules = tests.iter().filter_map(permission).map(as_permission);
        as_permission(Is::OrRules(Permissions {
            rules: rules.collect(),
        }))
    };
    let mut rules = Vec::new();
    for condition in conditions {
        if !condition.any_of.is_empty() {
            rules.push(or(&condition.any_of));
        }
        if !condition.none_of.is_empty() {
            rules.push(as_permission(Is::NotRule(Box::new(or(&condition.none_of)))));
        }
    }
    if rules.is_empty() {
        rules.push(as_permission(Is::Any(true)));
    }
    as_permission(Is::AndRules(Permissions { rules }))
}

fn all_principals<'a>(conditions: impl Iterator<Item = &'a Condition>) -> Principal {
    let or = |tests: &[Test]| {
        let ids = tests.iter().filter_map(principal).map(as_principal);
        as_principal(Identifier::OrIds(Principals { ids: ids.collect() }))
    };
    let mut ids = Vec::new();
    for condition in conditions {
        if !condition.any_of.is_empty() {
            ids.push(or(&condition.any_of));
        }
        if !condition.none_of.is_empty() {
            ids.push(as_principal(Identifier::NotId(Box::new(or(
                &condition.none_of
            )))));
        }
    }
    if ids.is_empty() {
        ids.push(as_principal(Identifier::Any(true)));
    }
    as_principal(Identifier::AndIds(Principals { ids }))
}

fn as_permission(rule: permission::Rule) -> Permission {
    Permission { rule: Some(rule) }
}

fn as_principal(identifier: principal::Identifier) -> Principal {
    Principal {
        identifier: Some(identifier),
    }
}

/// What is asked of the request; `None` for what is asked of the peer.
fn permission(test: &Test) -> Option<permission::Rule> {
    match test {
        Test::Host(pattern) => Some(Is::Header(text::header(":authority", pattern, true))),
        Test::Method(pattern) => Some(Is::Header(text::header(":method", pattern, false))),
        Test::Path(PathPattern::Text(pattern)) => Some(Is::UrlPath(text::path(pattern))),
        Test::Path(PathPattern::Template(text)) => Some(Is::UriTemplate(template(text))),
        Test::DestinationPort(port) => Some(Is::DestinationPort(u32::from(*port))),
        Test::DestinationIp(net) => Some(Is::DestinationIp(range(net))),
        Test::ServerName(pattern) => Some(Is::RequestedServerName(text::string(pattern))),
        Test::Principal(_)
        | Test::Namespace(_)
        | Test::ServiceAccount(..)
        | Test::TrustDomain(_)
        | Test::RequestPrincipal(..)
        | Test::Claim(..)
        | Test::PeerIp(_)
        | Test::ClientIp(_)
        | Test::Header(..) => None,
    }
}

/// What is asked of the peer, or of what it said of itself.
fn principal(test: &Test) -> Option<principal::Identifier> {
    match test {
        Test::Principal(pattern) => Some(authenticated(text::identity(pattern))),
        Test::Namespace(glob) => Some(authenticated(text::namespace(glob))),
        Test::ServiceAccount(namespace, name) => {
            Some(authenticated(text::account(namespace, name)))
        }
        Test::TrustDomain(pattern) => Some(authenticated(text::trust_domain(pattern))),
        Test::RequestPrincipal(issuer, subject) => Some(request_principal(issuer, subject)),
        Test::Claim(path, pattern) => Some(claim(path, pattern)),
        Test::PeerIp(net) => Some(Identifier::DirectRemoteIp(range(net))),
        Test::ClientIp(net) => Some(Identifier::RemoteIp(range(net))),
        Test::Header(name, pattern) => Some(Identifier::Header(text::header(name, pattern, false))),
        Test::Host(_)
        | Test::Method(_)
        | Test::Path(_)
        | Test::DestinationPort(_)
        | Test::DestinationIp(_)
        | Test::ServerName(_) => None,
    }
}

fn authenticated(
    name: weft_proto::pb::envoy::r#type::matcher::v3::StringMatcher,
) -> principal::Identifier {
    Identifier::Authenticated(Authenticated {
        principal_name: Some(name),
    })
}

fn request_principal(issuer: &Pattern, subject: &Pattern) -> principal::Identifier {
    let part = |name, pattern| {
        let value = text::string_value(pattern);
        as_principal(Identifier::Metadata(text::claim([name], value)))
    };
    Identifier::AndIds(Principals {
        ids: vec![part("iss", issuer), part("sub", subject)],
    })
}

fn claim(path: &[String], pattern: &Pattern) -> principal::Identifier {
    let path = path.iter().map(String::as_str);
    Identifier::Metadata(text::claim(path, text::text_or_element(pattern)))
}

fn range(net: &IpNet) -> CidrRange {
    CidrRange {
        address_prefix: net.addr().to_string(),
        prefix_len: Some(UInt32Value {
            value: net.prefix_len().into(),
        }),
    }
}

/// Envoy writes `*` for `{*}`.
fn template(text: &str) -> TypedExtensionConfig {
    let config = UriTemplateMatchConfig {
        path_template: text.replace(['{', '}'], ""),
    };
    TypedExtensionConfig {
        name: "uri-template".to_owned(),
        typed_config: Some(pack(&config)),
    }
}
