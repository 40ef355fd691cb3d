//! RBAC rules. What is not understood is refused: a policy must not be half in force.

use super::fault::each;
use super::matching::{header, metadata, path};
use super::value::{pattern, port, range, string_match, unpack};
use super::{At, Fault, Outcome};
use crate::config::{PathTemplate, Permission, Principal, RbacAction, RbacPolicy, RbacRules};
use std::collections::BTreeMap;
use weft_proto::pb::envoy::config::core::v3::TypedExtensionConfig;
use weft_proto::pb::envoy::config::rbac::v3 as pb;
use weft_proto::pb::envoy::extensions::path::r#match::uri_template::v3::UriTemplateMatchConfig;

pub(super) fn rules(from: &pb::Rbac) -> Outcome<RbacRules> {
    let action = match from.action() {
        pb::rbac::Action::Allow => RbacAction::Allow,
        pb::rbac::Action::Deny => RbacAction::Deny,
        pb::rbac::Action::Log => RbacAction::Log,
    };
    let sorted: BTreeMap<_, _> = from.policies.iter().collect();
    let policies = sorted
        .into_iter()
        .map(|(name, from)| Ok((name.as_str().into(), policy(from).at(name)?)))
        .collect::<Outcome<_>>()
        .at("policies")?;
    Ok(RbacRules { action, policies })
}

fn policy(from: &pb::Policy) -> Outcome<RbacPolicy> {
    if from.condition.is_some() || from.checked_condition.is_some() {
        return Err(Fault::new("CEL conditions are not supported"));
    }
    Ok(RbacPolicy {
        permissions: each("permissions", &from.permissions, permission)?,
        principals: each("principals", &from.principals, principal)?,
    })
}

fn permission(from: &pb::Permission) -> Outcome<Permission> {
    use pb::permission::Rule;
    let rule = from.rule.as_ref();
    match rule.ok_or_else(|| Fault::new("a permission without a rule"))? {
        Rule::Any(_) => Ok(Permission::Any),
        Rule::AndRules(set) => Ok(Permission::And(each("and_rules", &set.rules, permission)?)),
        Rule::OrRules(set) => Ok(Permission::Or(each("or_rules", &set.rules, permission)?)),
        Rule::NotRule(inner) => Ok(Permission::Not(Box::new(permission(inner).at("not_rule")?))),
        Rule::Header(matcher) => Ok(Permission::Header(header(matcher)?)),
        Rule::UrlPath(matcher) => Ok(Permission::UrlPath(path(matcher)?)),
        Rule::UriTemplate(extension) => Ok(Permission::UriTemplate(template(extension)?)),
        Rule::DestinationPort(value) => Ok(Permission::DestinationPort(port(*value)?)),
        Rule::DestinationPortRange(range) => {
            let bound = |value: i32| u16::try_from(value).unwrap_or(u16::MAX);
            Ok(Permission::DestinationPortRange(
                bound(range.start),
                bound(range.end),
            ))
        }
        Rule::DestinationIp(cidr) => Ok(Permission::DestinationIp(range(cidr)?)),
        Rule::RequestedServerName(name) => Ok(Permission::ServerName(string_match(name)?)),
        Rule::Metadata(_) | Rule::SourcedMetadata(_) | Rule::Matcher(_) => {
            Err(Fault::new("this kind of permission is not supported"))
        }
    }
}

fn template(extension: &TypedExtensionConfig) -> Outcome<PathTemplate> {
    let any = extension.typed_config.as_ref();
    let any = any.ok_or_else(|| Fault::new("uri_template has no configuration"))?;
    let text = unpack::<UriTemplateMatchConfig>(any)?.path_template;
    let mut expression = String::from(r"\A");
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let (length, piece) = match rest {
            _ if rest.starts_with("{**}") => (4, ".*".to_owned()),
            _ if rest.starts_with("{*}") => (3, "[^/]+".to_owned()),
            _ if rest.starts_with("**") => (2, ".*".to_owned()),
            _ if rest.starts_with('*') => (1, "[^/]+".to_owned()),
            _ => (first.len_utf8(), regex::escape(&first.to_string())),
        };
        expression.push_str(&piece);
        rest = &rest[length..];
    }
    expression.push_str(r"\z");
    Ok(PathTemplate {
        pattern: pattern(&expression)?,
        text: text.into(),
    })
}

fn principal(from: &pb::Principal) -> Outcome<Principal> {
    use pb::principal::Identifier;
    let identifier = from.identifier.as_ref();
    match identifier.ok_or_else(|| Fault::new("a principal without an identifier"))? {
        Identifier::Any(_) => Ok(Principal::Any),
        Identifier::AndIds(set) => Ok(Principal::And(each("and_ids", &set.ids, principal)?)),
        Identifier::OrIds(set) => Ok(Principal::Or(each("or_ids", &set.ids, principal)?)),
        Identifier::NotId(inner) => Ok(Principal::Not(Box::new(principal(inner).at("not_id")?))),
        Identifier::Authenticated(peer) => {
            let name = peer.principal_name.as_ref().map(string_match);
            Ok(Principal::Authenticated(name.transpose()?))
        }
        Identifier::SourceIp(cidr) | Identifier::DirectRemoteIp(cidr) => {
            Ok(Principal::DirectRemoteIp(range(cidr)?))
        }
        Identifier::RemoteIp(cidr) => Ok(Principal::RemoteIp(range(cidr)?)),
        Identifier::Header(matcher) => Ok(Principal::Header(header(matcher)?)),
        Identifier::UrlPath(matcher) => Ok(Principal::UrlPath(path(matcher)?)),
        Identifier::Metadata(matcher) => Ok(Principal::Metadata(metadata(matcher)?)),
        Identifier::FilterState(state) => filter_state(state),
        Identifier::SourcedMetadata(_) | Identifier::Custom(_) => {
            Err(Fault::new("this kind of principal is not supported"))
        }
    }
}

/// Istio's newer form of the peer's identity: filter state `io.istio.peer_principal`.
fn filter_state(
    from: &weft_proto::pb::envoy::r#type::matcher::v3::FilterStateMatcher,
) -> Outcome<Principal> {
    use weft_proto::pb::envoy::r#type::matcher::v3::filter_state_matcher::Matcher;
    match (from.key.as_str(), &from.matcher) {
        ("io.istio.peer_principal", Some(Matcher::StringMatch(text))) => {
            Ok(Principal::Authenticated(Some(string_match(text)?)))
        }
        (key, _) => Err(Fault::new(format!(
            "the filter state `{key}` is unknown here"
        ))),
    }
}
