//! Header changes of routes: removals, then additions with Envoy's `%COMMAND%`s.

use crate::config::{Append, HeaderEdit};
use crate::data::conn::ConnInfo;
use crate::data::http::fields::Fields;
use crate::data::http::head::Request;
use crate::data::http::route::value_of as route_value;
use std::fmt::Write;

/// What a template may speak of.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// The client's connection.
    pub conn: &'a ConnInfo,
    /// The request.
    pub request: Option<&'a Request>,
    /// Status, once there is one.
    pub status: Option<u16>,
}

/// Applies `edit` to the fields of a message. Changes of `host` are the caller's.
pub fn apply(edit: &HeaderEdit, fields: &mut Fields, values: &Values<'_>) {
    for name in &edit.remove {
        fields.remove(name.as_str());
    }
    for (name, template, how) in &edit.add {
        let name = name.as_str();
        let exists = fields.contains(name);
        let add = match how {
            Append::Append | Append::Overwrite => true,
            Append::AddIfAbsent => !exists,
            Append::OverwriteIfExists => exists,
        };
        if !add {
            continue;
        }
        let value = render(template, values, fields);
        match how {
            // Envoy leaves out a header whose value came to nothing.
            _ if value.is_empty() && !template.is_empty() => {}
            Append::Append | Append::AddIfAbsent => fields.push(name, value.as_bytes()),
            Append::Overwrite | Append::OverwriteIfExists => fields.set(name, value.as_bytes()),
        }
    }
}

/// The text of `template`; an unknown command stays as it is written.
fn render(template: &str, values: &Values<'_>, fields: &Fields) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            text.push('%');
            rest = after;
            continue;
        }
        let Some((command, after)) = after.split_once('%') else {
            text.push('%');
            rest = after;
            continue;
        };
        match value_of(command, values, fields) {
            Some(value) => text.push_str(&value),
            None => write!(text, "%{command}%").expect("writing to a String cannot fail"),
        }
        rest = after;
    }
    text.push_str(rest);
    text.retain(|character| !character.is_control());
    text
}

fn value_of(command: &str, values: &Values<'_>, fields: &Fields) -> Option<String> {
    let conn = values.conn;
    let peer = conn.peer.as_ref();
    Some(match command {
        "DOWNSTREAM_REMOTE_ADDRESS" => conn.remote.to_string(),
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => conn.remote.ip().to_string(),
        "DOWNSTREAM_LOCAL_ADDRESS" => conn.local.to_string(),
        "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT" => conn.local.ip().to_string(),
        "DOWNSTREAM_LOCAL_PORT" => conn.local.port().to_string(),
        "DOWNSTREAM_PEER_URI_SAN" => peer?.uri.as_deref()?.to_owned(),
        "DOWNSTREAM_PEER_SUBJECT" => peer?.subject.to_string(),
        "DOWNSTREAM_TLS_VERSION" => conn.tls.as_ref()?.version.to_owned(),
        "REQUESTED_SERVER_NAME" => conn.sni.as_deref().unwrap_or_default().to_owned(),
        "PROTOCOL" => values.request?.version.as_str().to_owned(),
        "RESPONSE_CODE" => values.status?.to_string(),
        "START_TIME" => jiff::Timestamp::now().to_string(),
        command => {
            let (name, rest) = command.split_once('(')?;
            let (argument, rest) = rest.rsplit_once(')')?;
            let length = match rest {
                "" => None,
                rest => Some(rest.strip_prefix(':')?.parse().ok()?),
            };
            match name {
                "REQ" => alternatives(argument, length, |name| {
                    let request = values.request?;
                    // While a request is changed, its fields are in our hands.
                    let of = if values.status.is_none() {
                        fields
                    } else {
                        &request.fields
                    };
                    match name.starts_with(':') || name == "host" {
                        true => Some(route_value(name, request)?.into_owned()),
                        false => text(of, name),
                    }
                }),
                "RESP" => alternatives(argument, length, |name| text(fields, name)),
                _ => return None,
            }
        }
    })
}

/// The first value, as Envoy's command has it.
fn text(fields: &Fields, name: &str) -> Option<String> {
    Some(String::from_utf8_lossy(fields.get(name)?).into_owned())
}

/// `A?B`: the first of both that exists, cut to a length.
fn alternatives(
    names: &str,
    length: Option<usize>,
    find: impl Fn(&str) -> Option<String>,
) -> String {
    let mut value = names
        .split('?')
        .find_map(|name| find(&name.to_ascii_lowercase()));
    if let (Some(value), Some(length)) = (&mut value, length) {
        let end = (0..=length.min(value.len()))
            .rev()
            .find(|at| value.is_char_boundary(*at));
        value.truncate(end.unwrap_or(0));
    }
    value.unwrap_or_default()
}
