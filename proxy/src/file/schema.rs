//! The table of Envoy's fields, `fields.txt`, ready to be asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

const TABLE: &str = include_str!("fields.txt");

/// What is known about Envoy's messages.
#[derive(Debug, Default)]
pub(super) struct Schema {
    roots: BTreeSet<&'static str>,
    messages: HashMap<&'static str, Vec<Field>>,
    enums: HashMap<&'static str, BTreeMap<&'static str, i32>>,
}

/// A field of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Its name in the protocol's own spelling.
    pub(super) name: &'static str,
    /// Its number.
    pub(super) number: u32,
    /// How many there may be.
    pub(super) count: Count,
    /// What it holds.
    pub(super) kind: Kind,
    /// The group of which only one member may be set.
    pub(super) oneof: Option<&'static str>,
    /// What the proxy makes of it.
    pub(super) mark: Mark,
}

/// How often a field may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// At most once.
    One,
    /// A list.
    List,
    /// By names.
    Map,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `bool`.
    Bool,
    /// `int32`, `int64`.
    Signed,
    /// `uint32`.
    U32,
    /// `uint64`.
    U64,
    /// `double`.
    Double,
    /// `float`.
    Float,
    /// `string`.
    String,
    /// `bytes`, base64 in a file.
    Bytes,
    /// The enum of this name.
    Enum(&'static str),
    /// The message of this name.
    Message(&'static str),
}

/// What the proxy makes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Reads it.
    Used,
    /// Accepts it with a warning.
    NoEffect,
    /// Refuses it.
    Refused,
}

impl Schema {
    /// The built-in table.
    pub(super) fn new() -> Self {
        let mut schema = Self::default();
        let mut message = "";
        for line in TABLE.lines() {
            let words: Vec<&'static str> = line.split(' ').collect();
            match words[..] {
                ["any", name] => _ = schema.roots.insert(name),
                ["message", name] => {
                    message = name;
                    schema.messages.insert(name, Vec::new());
                }
                ["enum", name, ref values @ ..] => {
                    let values = values.iter().filter_map(|value| value.split_once('='));
                    let values = values.filter_map(|(name, n)| Some((name, n.parse().ok()?)));
                    schema.enums.insert(name, values.collect());
                }
                ["+" | "~" | "-", ..] => {
                    let fields = schema.messages.entry(message).or_default();
                    fields.extend(field(&words));
                }
                _ => {} // comments
            }
        }
        schema
    }

    /// The full name of a message that may stand in an `Any`.
    pub(super) fn root(&self, name: &str) -> Option<&'static str> {
        self.roots.get(name).copied()
    }

    /// The fields of a message; none if it is not in the table.
    pub(super) fn fields(&self, message: &str) -> &[Field] {
        self.messages.get(message).map_or(&[], Vec::as_slice)
    }

    /// The values of an enum by name.
    pub(super) fn values(&self, name: &str) -> Option<&BTreeMap<&'static str, i32>> {
        self.enums.get(name)
    }
}

impl Field {
    /// Whether a file calls this field `key`: `connect_timeout`, or `connectTimeout`.
    pub(super) fn is_called(&self, key: &str) -> bool {
        self.name == key || camel(self.name) == key
    }
}

/// The name that protobuf's JSON mapping gives a field.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let mut camel = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

fn field(words: &[&'static str]) -> Option<Field> {
    let [mark, name, number, count, kind, ref oneof @ ..] = *words else {
        return None;
    };
    Some(Field {
        name,
        number: number.parse().ok()?,
        count: match count {
            "list" => Count::List,
            "map" => Count::Map,
            _ => Count::One,
        },
        kind: self::kind(kind),
        oneof: oneof.first().copied(),
        mark: match mark {
            "+" => Mark::Used,
            "~" => Mark::NoEffect,
            _ => Mark::Refused,
        },
    })
}

fn kind(word: &'static str) -> Kind {
    match word {
        "bool" => Kind::Bool,
        "int32" | "int64" => Kind::Signed,
        "uint32" => Kind::U32,
        "uint64" => Kind::U64,
        "double" => Kind::Double,
        "float" => Kind::Float,
        "string" => Kind::String,
        "bytes" => Kind::Bytes,
        name => match name.strip_prefix("enum:") {
            Some(name) => Kind::Enum(name),
            None => Kind::Message(name),
        },
    }
}
