//! Conditions on texts.

use weft_model::authorization::Pattern;
use weft_proto::pb::envoy::config::route::v3::{
    HeaderMatcher, header_matcher::HeaderMatchSpecifier,
};
use weft_proto::pb::envoy::r#type::matcher::v3 as matcher;
use weft_proto::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use weft_proto::pb::envoy::r#type::matcher::v3::value_matcher::MatchPattern as Value;

const SPIFFE: &str = "spiffe://";
/// A part of an identity that is not given.
const ANY: &str = "[^/]*";

/// A text that must not be empty where it only has to be there.
pub(super) fn string(pattern: &Pattern) -> matcher::StringMatcher {
    matching(match pattern {
        Pattern::Present => return regex(".+"),
        Pattern::Exact(text) => MatchPattern::Exact(text.clone()),
        Pattern::Prefix(text) => MatchPattern::Prefix(text.clone()),
        Pattern::Suffix(text) => MatchPattern::Suffix(text.clone()),
    })
}

/// The path without query.
pub(super) fn path(pattern: &Pattern) -> matcher::PathMatcher {
    matcher::PathMatcher {
        rule: Some(matcher::path_matcher::Rule::Path(string(pattern))),
    }
}

/// A header field.
pub(super) fn header(name: &str, pattern: &Pattern, ignore_case: bool) -> HeaderMatcher {
    let condition = match pattern {
        Pattern::Present => HeaderMatchSpecifier::PresentMatch(true),
        Pattern::Exact(_) | Pattern::Prefix(_) | Pattern::Suffix(_) => {
            HeaderMatchSpecifier::StringMatch(matcher::StringMatcher {
                ignore_case,
                ..string(pattern)
            })
        }
    };
    HeaderMatcher {
        name: name.to_owned(),
        header_match_specifier: Some(condition),
        ..Default::default()
    }
}

/// The whole identity, as the certificate has it.
pub(super) fn identity(pattern: &Pattern) -> matcher::StringMatcher {
    matching(match pattern {
        Pattern::Present => return regex(".+"),
        Pattern::Exact(text) => MatchPattern::Exact(format!("{SPIFFE}{text}")),
        Pattern::Prefix(text) => MatchPattern::Prefix(format!("{SPIFFE}{text}")),
        Pattern::Suffix(text) => return regex(&format!("{SPIFFE}.*{}", literal(text))),
    })
}

/// The namespace in the identity. `*` stays within it, which Istio's pattern does not see to.
pub(super) fn namespace(glob: &str) -> matcher::StringMatcher {
    let parts: Vec<_> = glob.split('*').map(literal).collect();
    regex(&format!(".*/ns/{}/.*", parts.join(ANY)))
}

/// The service account in the identity.
pub(super) fn account(namespace: &str, name: &str) -> matcher::StringMatcher {
    let (namespace, name) = (literal(namespace), literal(name));
    regex(&format!("{SPIFFE}{ANY}/ns/{namespace}/sa/{name}"))
}

/// The trust domain in the identity.
pub(super) fn trust_domain(pattern: &Pattern) -> matcher::StringMatcher {
    let domain = match pattern {
        Pattern::Present => "[^/]+".to_owned(),
        Pattern::Exact(text) => literal(text),
        Pattern::Prefix(text) => format!("{}{ANY}", literal(text)),
        Pattern::Suffix(text) => format!("{ANY}{}", literal(text)),
    };
    regex(&format!("{SPIFFE}{domain}/.*"))
}

/// A claim of the verified token.
pub(super) fn claim<'a>(
    path: impl IntoIterator<Item = &'a str>,
    value: matcher::ValueMatcher,
) -> matcher::MetadataMatcher {
    use matcher::metadata_matcher::{PathSegment, path_segment::Segment};
    let segments = std::iter::once("payload").chain(path);
    let segments = segments.map(|key| PathSegment {
        segment: Some(Segment::Key(key.to_owned())),
    });
    matcher::MetadataMatcher {
        filter: "envoy.filters.http.jwt_authn".to_owned(),
        path: segments.collect(),
        value: Some(value),
        invert: false,
    }
}

/// A value that is a text.
pub(super) fn string_value(pattern: &Pattern) -> matcher::ValueMatcher {
    value(Value::StringMatch(string(pattern)))
}

/// A value that is a text, or a list with such an element.
pub(super) fn text_or_element(pattern: &Pattern) -> matcher::ValueMatcher {
    let one = matcher::list_matcher::MatchPattern::OneOf(Box::new(string_value(pattern)));
    let list = matcher::ListMatcher {
        match_pattern: Some(one),
    };
    value(Value::OrMatch(matcher::OrMatcher {
        value_matchers: vec![
            value(Value::ListMatch(Box::new(list))),
            string_value(pattern),
        ],
    }))
}

fn value(pattern: Value) -> matcher::ValueMatcher {
    matcher::ValueMatcher {
        match_pattern: Some(pattern),
    }
}

fn matching(pattern: MatchPattern) -> matcher::StringMatcher {
    matcher::StringMatcher {
        match_pattern: Some(pattern),
        ..Default::default()
    }
}

fn regex(text: &str) -> matcher::StringMatcher {
    matching(MatchPattern::SafeRegex(matcher::RegexMatcher {
        regex: text.to_owned(),
        ..Default::default()
    }))
}

/// `text` as a pattern that matches it and nothing else.
fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii_punctuation() && !matches!(character, '/' | '-' | '_') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}
