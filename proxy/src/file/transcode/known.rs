//! Google's messages, which have forms of their own in JSON: `5s`, `true`, `{"@type": …}`.

use super::{Place, Transcoder, delimited, scalar, varint};
use crate::file::schema::Kind;
use crate::file::tree::{Entry, Node, Value};
use std::time::Duration;
use weft_proto::type_url::{TYPED_STRUCT, XDS_TYPED_STRUCT};

const TYPE: &str = "@type";

impl Transcoder<'_> {
    /// The bytes of `name` if it is one of Google's messages.
    pub(super) fn known(&mut self, name: &str, place: Place<'_>) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let done = match name.strip_prefix("google.protobuf.")? {
            "Any" => {
                out = self.any(place);
                Ok(())
            }
            "Struct" => structure(place.node, &mut out),
            "Duration" => duration(place.node, &mut out),
            "BoolValue" => scalar::write(Kind::Bool, 1, place.node, &mut out),
            "UInt32Value" => scalar::write(Kind::U32, 1, place.node, &mut out),
            "UInt64Value" => scalar::write(Kind::U64, 1, place.node, &mut out),
            "Int32Value" | "Int64Value" => scalar::write(Kind::Signed, 1, place.node, &mut out),
            "DoubleValue" => scalar::write(Kind::Double, 1, place.node, &mut out),
            "FloatValue" => scalar::write(Kind::Float, 1, place.node, &mut out),
            "StringValue" => scalar::write(Kind::String, 1, place.node, &mut out),
            "BytesValue" => scalar::write(Kind::Bytes, 1, place.node, &mut out),
            "Empty" => Ok(()),
            other => Err(format!("{other} is not supported")),
        };
        if let Err(reason) = done {
            self.problem(place, reason);
        }
        Some(out)
    }

    /// A message of any type. One of a type that is unknown here has no content; whoever needs it
    /// refuses it by name, and what is marked optional is passed over.
    fn any(&mut self, place: Place<'_>) -> Vec<u8> {
        let Value::Map(entries) = &place.node.value else {
            self.problem(place, "needs fields and their type in `@type`");
            return Vec::new();
        };
        let Some(url) = place.node.get(TYPE).and_then(Node::text) else {
            self.problem(
                place,
                "has no `@type`; add it, such as \"@type\": type.googleapis.com/…",
            );
            return Vec::new();
        };
        let rest: Vec<Entry> = entries.iter().filter(|e| e.key != TYPE).cloned().collect();
        let name = url.rsplit('/').next().unwrap_or_default();
        let content = match (url, self.schema.root(name)) {
            (TYPED_STRUCT | XDS_TYPED_STRUCT, _) => self.typed_struct(&rest, place),
            (_, Some(name)) => self.fields(name, &rest, place.path),
            (_, None) => Vec::new(),
        };
        let mut out = Vec::new();
        delimited(1, url.as_bytes(), &mut out);
        delimited(2, &content, &mut out);
        out
    }

    fn typed_struct(&mut self, entries: &[Entry], place: Place<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        for Entry { key, node, .. } in entries {
            let written = match key.as_str() {
                "type_url" | "typeUrl" => scalar::write(Kind::String, 1, node, &mut out),
                "value" => {
                    let mut inner = Vec::new();
                    let written = structure(node, &mut inner);
                    delimited(2, &inner, &mut out);
                    written
                }
                other => Err(format!(
                    "`{other}` is unknown; a TypedStruct has type_url and value"
                )),
            };
            if let Err(reason) = written {
                self.problem(Place { node, ..place }, reason);
            }
        }
        out
    }
}

fn structure(node: &Node, out: &mut Vec<u8>) -> Result<(), String> {
    let Value::Map(entries) = &node.value else {
        return Err("needs fields, such as {name: value}".to_owned());
    };
    for entry in entries {
        let mut pair = Vec::new();
        delimited(1, entry.key.as_bytes(), &mut pair);
        delimited(2, &data(&entry.node)?, &mut pair);
        delimited(1, &pair, out);
    }
    Ok(())
}

/// A `google.protobuf.Value`.
fn data(node: &Node) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    match &node.value {
        Value::Null => varint(1, 0, &mut out),
        Value::Quoted(_) => scalar::write(Kind::String, 3, node, &mut out)?,
        Value::Plain(text) if matches!(text.as_str(), "true" | "false") => {
            scalar::write(Kind::Bool, 4, node, &mut out)?;
        }
        Value::Plain(text) if text.parse::<f64>().is_ok() => {
            scalar::write(Kind::Double, 2, node, &mut out)?;
        }
        Value::Plain(_) => scalar::write(Kind::String, 3, node, &mut out)?,
        Value::Map(_) => {
            let mut inner = Vec::new();
            structure(node, &mut inner)?;
            delimited(5, &inner, &mut out);
        }
        Value::List(list) => {
            let mut inner = Vec::new();
            for entry in list {
                delimited(1, &data(entry)?, &mut inner);
            }
            delimited(6, &inner, &mut out);
        }
    }
    Ok(out)
}

/// `5s` or `0.25s`, the only form that protobuf has.
fn duration(node: &Node, out: &mut Vec<u8>) -> Result<(), String> {
    let text = scalar::text(node)?;
    let wrong = || format!("`{text}` is not a duration in seconds, such as 5s or 0.25s");
    let digits = text.strip_suffix('s').ok_or_else(wrong)?;
    let (seconds, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(seconds) || !plain(fraction) || fraction.len() > 9 {
        return Err(wrong());
    }
    let seconds: u32 = seconds.parse().map_err(|_| wrong())?;
    let nanos: u32 = format!("{fraction:0<9}").parse().map_err(|_| wrong())?;
    let length = Duration::new(seconds.into(), nanos);
    varint(1, length.as_secs(), out);
    varint(2, length.subsec_nanos().into(), out);
    Ok(())
}
