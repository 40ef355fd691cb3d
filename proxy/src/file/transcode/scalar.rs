//! Numbers, texts and enums.

use super::{delimited, varint};
use crate::file::schema::{Kind, Schema};
use crate::file::tree::{Node, Value};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use prost::encoding::{WireType, encode_key};
use std::str::FromStr;

/// Writes the scalar in `node` as field `number`, or says why it is none of that kind.
pub(super) fn write(kind: Kind, number: u32, node: &Node, out: &mut Vec<u8>) -> Result<(), String> {
    match kind {
        Kind::Bool => varint(number, u64::from(boolean(node)?), out),
        Kind::Signed => varint(number, integer::<i64>(node)?.cast_unsigned(), out),
        Kind::U32 => varint(number, integer::<u32>(node)?.into(), out),
        Kind::U64 => varint(number, integer::<u64>(node)?, out),
        Kind::Double => {
            encode_key(number, WireType::SixtyFourBit, out);
            out.extend_from_slice(&float(node)?.to_le_bytes());
        }
        Kind::Float => {
            encode_key(number, WireType::ThirtyTwoBit, out);
            out.extend_from_slice(&(float(node)? as f32).to_le_bytes());
        }
        Kind::String => delimited(number, text(node)?.as_bytes(), out),
        Kind::Bytes => {
            let bytes = BASE64_STANDARD.decode(text(node)?);
            delimited(number, &bytes.map_err(|_| "needs base64")?, out);
        }
        Kind::Enum(name) | Kind::Message(name) => return Err(format!("{name} is no scalar")),
    }
    Ok(())
}

/// The number of an enum's value, which may be given by name or by number.
pub(super) fn variant(schema: &Schema, name: &str, node: &Node) -> Result<i32, String> {
    let values = schema
        .values(name)
        .ok_or_else(|| format!("the enum {name} is unknown"))?;
    let text = text(node)?;
    let by_number = || {
        text.parse()
            .ok()
            .filter(|n| values.values().any(|value| value == n))
    };
    let found = values.get(text).copied().or_else(by_number);
    found.ok_or_else(|| {
        let names: Vec<&str> = values.keys().copied().collect();
        format!("`{text}` is not one of {}", names.join(", "))
    })
}

fn boolean(node: &Node) -> Result<bool, String> {
    match &node.value {
        Value::Plain(text) if text == "true" => Ok(true),
        Value::Plain(text) if text == "false" => Ok(false),
        _ => Err("needs true or false".to_owned()),
    }
}

/// Protobuf allows quotes around numbers, and a number that is whole in a roundabout way.
fn integer<T: FromStr + TryFrom<i64>>(node: &Node) -> Result<T, String> {
    let text = text(node)?;
    let whole = || {
        let value: f64 = text.parse().ok()?;
        let exact = value.fract() == 0.0 && value.abs() < 9e15;
        T::try_from(if exact { value as i64 } else { return None }).ok()
    };
    let number = text.parse().ok().or_else(whole);
    number.ok_or_else(|| format!("`{text}` is not a whole number that fits here"))
}

fn float(node: &Node) -> Result<f64, String> {
    let text = text(node)?;
    text.parse()
        .map_err(|_| format!("`{text}` is not a number"))
}

/// A scalar's text. A number where text belongs is taken as it is written.
pub(super) fn text(node: &Node) -> Result<&str, String> {
    node.text().ok_or_else(|| match &node.value {
        Value::List(_) => "needs one value, not a list".to_owned(),
        _ => "needs one value, not fields".to_owned(),
    })
}
