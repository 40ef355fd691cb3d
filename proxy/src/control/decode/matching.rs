//! Conditions on headers, query parameters and metadata.

use super::value::{string_match, whole};
use super::{At, Fault, Outcome};
use crate::config::{HeaderMatch, HeaderValueMatch, MetadataMatch, QueryMatch, StringMatch};
use weft_proto::pb::envoy::config::route::v3::{
    HeaderMatcher, QueryParameterMatcher, header_matcher::HeaderMatchSpecifier,
    query_parameter_matcher::QueryParameterMatchSpecifier,
};
use weft_proto::pb::envoy::r#type::matcher::v3 as matcher;

pub(super) fn header(from: &HeaderMatcher) -> Outcome<HeaderMatch> {
    if from.name.is_empty() {
        return Err(Fault::new("a header matcher without a name"));
    }
    Ok(HeaderMatch {
        name: from.name.to_ascii_lowercase().into(),
        value: header_value(from).at(&from.name)?,
        invert: from.invert_match,
        missing_as_empty: from.treat_missing_header_as_empty,
    })
}

fn header_value(from: &HeaderMatcher) -> Outcome<HeaderValueMatch> {
    use HeaderMatchSpecifier as Is;
    let string = |matching| Ok(HeaderValueMatch::String(matching));
    match &from.header_match_specifier {
        None => Ok(HeaderValueMatch::Present(true)),
        Some(Is::PresentMatch(present)) => Ok(HeaderValueMatch::Present(*present)),
        Some(Is::StringMatch(matcher)) => string(string_match(matcher)?),
        Some(Is::RangeMatch(range)) => Ok(HeaderValueMatch::Range(range.start, range.end)),
        Some(Is::ExactMatch(text)) => string(StringMatch::Exact(text.as_str().into(), false)),
        Some(Is::PrefixMatch(text)) => string(StringMatch::Prefix(text.as_str().into(), false)),
        Some(Is::SuffixMatch(text)) => string(StringMatch::Suffix(text.as_str().into(), false)),
        Some(Is::ContainsMatch(text)) => string(StringMatch::Contains(text.as_str().into(), false)),
        Some(Is::SafeRegexMatch(regex)) => string(StringMatch::Regex(whole(regex)?)),
    }
}

pub(super) fn query(from: &QueryParameterMatcher) -> Outcome<QueryMatch> {
    use QueryParameterMatchSpecifier as Is;
    let value = match &from.query_parameter_match_specifier {
        Some(Is::StringMatch(matcher)) => Some(string_match(matcher)?),
        Some(Is::PresentMatch(true)) | None => None,
        Some(Is::PresentMatch(false)) => {
            return Err(Fault::new("`present_match: false` is not supported"));
        }
    };
    Ok(QueryMatch {
        name: from.name.as_str().into(),
        value,
    })
}

pub(super) fn path(from: &matcher::PathMatcher) -> Outcome<StringMatch> {
    match &from.rule {
        Some(matcher::path_matcher::Rule::Path(path)) => string_match(path),
        None => Err(Fault::new("a path matcher without a rule")),
    }
}

pub(super) fn metadata(from: &matcher::MetadataMatcher) -> Outcome<MetadataMatch> {
    if from.invert {
        return Err(Fault::new("inverted metadata matchers are not supported"));
    }
    let key = |segment: &matcher::metadata_matcher::PathSegment| match &segment.segment {
        Some(matcher::metadata_matcher::path_segment::Segment::Key(key)) => Ok(key.as_str().into()),
        None => Err(Fault::new("a path segment without a key")),
    };
    Ok(MetadataMatch {
        filter: from.filter.as_str().into(),
        path: super::fault::each("path", &from.path, key)?,
        value: from.value.as_ref().map(value).transpose()?.flatten(),
    })
}

fn value(from: &matcher::ValueMatcher) -> Outcome<Option<StringMatch>> {
    use matcher::value_matcher::MatchPattern as Is;
    match &from.match_pattern {
        Some(Is::StringMatch(text)) => Ok(Some(string_match(text)?)),
        Some(Is::PresentMatch(true)) => Ok(None),
        Some(Is::ListMatch(list)) => match &list.match_pattern {
            Some(matcher::list_matcher::MatchPattern::OneOf(one)) => value(one),
            None => Err(Fault::new("a list matcher without a pattern")),
        },
        Some(Is::OrMatch(or)) => {
            // Istio's "a text, or a list with such an element" is one condition here.
            let mut values = or.value_matchers.iter().map(value);
            let first = values
                .next()
                .unwrap_or(Err(Fault::new("an empty or_match")))?;
            for other in values {
                if other? != first {
                    return Err(Fault::new("or_match of different values is not supported"));
                }
            }
            Ok(first)
        }
        _ => Err(Fault::new(
            "only strings, lists and presence can be matched in metadata",
        )),
    }
}
