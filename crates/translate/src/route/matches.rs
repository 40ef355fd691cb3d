//! Which requests a route is for.

use crate::value::flag;
use std::collections::BTreeMap;
use weft_model::routing::{Match, Text};
use weft_proto::pb::envoy::config::route::v3 as route;
use weft_proto::pb::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier;
use weft_proto::pb::envoy::config::route::v3::query_parameter_matcher::QueryParameterMatchSpecifier;
use weft_proto::pb::envoy::config::route::v3::route_match::PathSpecifier;
use weft_proto::pb::envoy::r#type::matcher::v3::{
    RegexMatcher, StringMatcher, string_matcher::MatchPattern,
};

/// Every request.
pub(crate) fn everything() -> route::RouteMatch {
    route::RouteMatch {
        path_specifier: Some(PathSpecifier::Prefix("/".to_owned())),
        ..Default::default()
    }
}

/// The conditions of a VirtualService, in name order.
pub(super) fn conditions(of: &Match) -> route::RouteMatch {
    let path = match &of.path {
        None => PathSpecifier::Prefix("/".to_owned()),
        Some(Text::Exact(path)) => PathSpecifier::Path(path.clone()),
        Some(Text::Prefix(prefix)) => PathSpecifier::Prefix(prefix.clone()),
        Some(Text::Regex(pattern)) => PathSpecifier::SafeRegex(regex(pattern)),
    };
    let mut headers: Vec<_> = of
        .headers
        .iter()
        .map(|(name, text)| header(name, text))
        .collect();
    headers.extend(
        of.without_headers
            .iter()
            .map(|(name, text)| without(name, text)),
    );
    route::RouteMatch {
        path_specifier: Some(path),
        case_sensitive: flag(!of.ignore_case),
        headers,
        query_parameters: query(&of.query),
        ..Default::default()
    }
}

fn header(name: &str, text: &Option<Text>) -> route::HeaderMatcher {
    let specifier = match text {
        Some(text) => HeaderMatchSpecifier::StringMatch(matcher(text)),
        None => HeaderMatchSpecifier::PresentMatch(true),
    };
    route::HeaderMatcher {
        name: name.to_owned(),
        header_match_specifier: Some(specifier),
        ..Default::default()
    }
}

/// A field that is not there does not have the value either.
fn without(name: &str, text: &Option<Text>) -> route::HeaderMatcher {
    route::HeaderMatcher {
        invert_match: true,
        treat_missing_header_as_empty: text.is_some(),
        ..header(name, text)
    }
}

fn query(of: &BTreeMap<String, Option<Text>>) -> Vec<route::QueryParameterMatcher> {
    let parameter = |(name, text): (&String, &Option<Text>)| {
        let specifier = match text {
            Some(text) => QueryParameterMatchSpecifier::StringMatch(matcher(text)),
            None => QueryParameterMatchSpecifier::PresentMatch(true),
        };
        route::QueryParameterMatcher {
            name: name.clone(),
            query_parameter_match_specifier: Some(specifier),
        }
    };
    of.iter().map(parameter).collect()
}

/// A condition on a text.
pub(super) fn matcher(text: &Text) -> StringMatcher {
    let pattern = match text {
        Text::Exact(text) => MatchPattern::Exact(text.clone()),
        Text::Prefix(text) => MatchPattern::Prefix(text.clone()),
        Text::Regex(pattern) => MatchPattern::SafeRegex(regex(pattern)),
    };
    StringMatcher {
        match_pattern: Some(pattern),
        ..Default::default()
    }
}

/// A pattern in Envoy's form.
pub(super) fn regex(pattern: &str) -> RegexMatcher {
    RegexMatcher {
        regex: pattern.to_owned(),
        ..Default::default()
    }
}
