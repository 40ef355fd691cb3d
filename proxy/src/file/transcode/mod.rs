//! A tree as the bytes of one of Envoy's messages, by protobuf's JSON mapping.
//!
//! Everything that is wrong is collected, so that a person sees all of it at once. A field that the
//! proxy does not read is never dropped without a word.

mod known;
mod scalar;
mod suggest;

use super::problem::Problem;
use super::schema::{Count, Field, Kind, Mark, Schema};
use super::tree::{Entry, Node, Value};
use prost::encoding::{WireType, encode_key, encode_varint};
use std::collections::BTreeMap;

/// A tree on its way to bytes, and what was found on the way.
#[derive(Debug)]
pub(super) struct Transcoder<'a> {
    schema: &'a Schema,
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
    /// What is accepted but has no effect.
    pub(super) warnings: Vec<Problem>,
}

/// A value and where it stands.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    node: &'a Node,
    path: &'a str,
}

impl<'a> Transcoder<'a> {
    /// A transcoder that knows the messages of `schema`.
    pub(super) fn new(schema: &'a Schema) -> Self {
        Self {
            schema,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The bytes of the message `name` that `node` describes; of use only while there are no problems.
    pub(super) fn transcode(&mut self, name: &str, node: &Node) -> Vec<u8> {
        self.message(name, Place { node, path: "" })
    }

    fn problem(&mut self, place: Place<'_>, reason: impl Into<String>) {
        let problem = Problem::field(place.node.line, place.path, reason);
        self.problems.push(problem);
    }

    fn message(&mut self, name: &str, place: Place<'_>) -> Vec<u8> {
        if let Some(bytes) = self.known(name, place) {
            return bytes;
        }
        let Value::Map(entries) = &place.node.value else {
            self.problem(place, "needs fields, such as {name: value}");
            return Vec::new();
        };
        self.fields(name, entries, place.path)
    }

    fn fields(&mut self, message: &str, entries: &[Entry], path: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut set = BTreeMap::new();
        for entry in entries {
            let path = join(path, &entry.key);
            let known = self.schema.fields(message);
            let Some(field) = known.iter().find(|field| field.is_called(&entry.key)) else {
                let reason = suggest::unknown(&entry.key, known);
                self.problems
                    .push(Problem::field(entry.line, &path, reason));
                continue;
            };
            if entry.node.value == Value::Null || !self.wanted(field, entry, &path) {
                continue;
            }
            // Two names of one field, or two members of a oneof.
            if let Some(other) = set.insert(field.oneof.unwrap_or(field.name), &entry.key) {
                let reason = format!("only one of `{other}` and `{}` can be set", entry.key);
                self.problems
                    .push(Problem::field(entry.line, &path, reason));
            }
            let place = Place {
                node: &entry.node,
                path: &path,
            };
            self.field(field, place, &mut out);
        }
        out
    }

    /// Whether the proxy reads `field`; says so if it does not.
    fn wanted(&mut self, field: &Field, entry: &Entry, path: &str) -> bool {
        let say = |reason: &str| Problem::field(entry.line, path, reason);
        match field.mark {
            Mark::Used => return true,
            Mark::NoEffect => self.warnings.push(say("has no effect in this proxy")),
            Mark::Refused => self
                .problems
                .push(say("is not supported by this proxy; remove it")),
        }
        false
    }

    fn field(&mut self, field: &Field, place: Place<'_>, out: &mut Vec<u8>) {
        match (field.count, &place.node.value) {
            (Count::One, _) => self.value(field.kind, field.number, place, out),
            (Count::List, Value::List(list)) => {
                for (index, node) in list.iter().enumerate() {
                    let path = format!("{}[{index}]", place.path);
                    let entry = Place { node, path: &path };
                    self.value(field.kind, field.number, entry, out);
                }
            }
            (Count::List, _) => self.problem(place, "needs a list, such as [a, b]"),
            (Count::Map, Value::Map(entries)) => {
                for entry in entries {
                    let path = format!("{}[{}]", place.path, entry.key);
                    let mut pair = Vec::new();
                    delimited(1, entry.key.as_bytes(), &mut pair);
                    let node = &entry.node;
                    self.value(field.kind, 2, Place { node, path: &path }, &mut pair);
                    delimited(field.number, &pair, out);
                }
            }
            (Count::Map, _) => self.problem(place, "needs values by name, such as {name: value}"),
        }
    }

    fn value(&mut self, kind: Kind, number: u32, place: Place<'_>, out: &mut Vec<u8>) {
        match kind {
            Kind::Message(name) => {
                let bytes = self.message(name, place);
                delimited(number, &bytes, out);
            }
            Kind::Enum(name) => match scalar::variant(self.schema, name, place.node) {
                Ok(value) => varint(number, i64::from(value).cast_unsigned(), out),
                Err(reason) => self.problem(place, reason),
            },
            scalar => {
                if let Err(reason) = scalar::write(scalar, number, place.node, out) {
                    self.problem(place, reason);
                }
            }
        }
    }
}

fn join(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    }
}

fn varint(number: u32, value: u64, out: &mut Vec<u8>) {
    encode_key(number, WireType::Varint, out);
    encode_varint(value, out);
}

fn delimited(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}
