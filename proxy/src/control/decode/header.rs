//! Header additions and removals.

use super::fault::each;
use super::{Fault, Outcome};
use crate::config::{Append, HeaderChanges, HeaderEdit};
use http::HeaderName;
use std::sync::Arc;
use weft_proto::pb::envoy::config::core::v3::{
    HeaderValueOption, header_value_option::HeaderAppendAction,
};

/// The four lists that virtual hosts, routes and weighted clusters all have.
pub(super) struct Lists<'a> {
    pub(super) request_add: &'a [HeaderValueOption],
    pub(super) request_remove: &'a [String],
    pub(super) response_add: &'a [HeaderValueOption],
    pub(super) response_remove: &'a [String],
}

/// The lists of any message that has them under Envoy's usual names.
macro_rules! lists {
    ($message:expr) => {
        super::header::Lists {
            request_add: &$message.request_headers_to_add,
            request_remove: &$message.request_headers_to_remove,
            response_add: &$message.response_headers_to_add,
            response_remove: &$message.response_headers_to_remove,
        }
    };
}
pub(super) use lists;

pub(super) fn changes(lists: &Lists<'_>) -> Outcome<HeaderChanges> {
    let request = HeaderEdit {
        remove: each("request_headers_to_remove", lists.request_remove, |n| {
            name(n)
        })?,
        add: each("request_headers_to_add", lists.request_add, addition)?,
    };
    let response = HeaderEdit {
        remove: each("response_headers_to_remove", lists.response_remove, |n| {
            name(n)
        })?,
        add: each("response_headers_to_add", lists.response_add, addition)?,
    };
    Ok(HeaderChanges { request, response })
}

/// Additions alone, of the list `field`.
pub(super) fn additions(field: &str, list: &[HeaderValueOption]) -> Outcome<HeaderEdit> {
    Ok(HeaderEdit {
        remove: Vec::new(),
        add: each(field, list, addition)?,
    })
}

fn addition(from: &HeaderValueOption) -> Outcome<(HeaderName, Arc<str>, Append)> {
    let header = from
        .header
        .as_ref()
        .ok_or_else(|| Fault::new("no header"))?;
    let value = if header.raw_value.is_empty() {
        header.value.clone()
    } else {
        String::from_utf8(header.raw_value.clone())
            .map_err(|_| Fault::new("raw_value is not UTF-8"))?
    };
    Ok((name(&header.key)?, value.into(), append(from)))
}

/// The older boolean wins where it is set, as in Envoy.
fn append(from: &HeaderValueOption) -> Append {
    match &from.append {
        Some(append) if append.value => Append::Append,
        Some(_) => Append::Overwrite,
        None => match from.append_action() {
            HeaderAppendAction::AppendIfExistsOrAdd => Append::Append,
            HeaderAppendAction::AddIfAbsent => Append::AddIfAbsent,
            HeaderAppendAction::OverwriteIfExistsOrAdd => Append::Overwrite,
            HeaderAppendAction::OverwriteIfExists => Append::OverwriteIfExists,
        },
    }
}

/// `host` and `:authority` are the same thing; other pseudo headers are not ours to change.
fn name(text: &str) -> Outcome<HeaderName> {
    let text = if text.eq_ignore_ascii_case(":authority") {
        "host"
    } else {
        text
    };
    HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| Fault::new(format!("`{text}` is not a header name")))
}
