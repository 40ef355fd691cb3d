//! The table itself, from descriptors and marks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use anyhow::{Context, Result};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};

use super::marks::{Marks, USED};

/// Every message and enum by its full name.
#[derive(Debug, Default)]
pub(super) struct Descriptors {
    messages: BTreeMap<String, DescriptorProto>,
    enums: BTreeMap<String, EnumDescriptorProto>,
}

impl Descriptors {
    /// Indexes `set`.
    pub(super) fn new(set: &FileDescriptorSet) -> Self {
        let mut found = Self::default();
        for file in &set.file {
            for message in &file.message_type {
                found.add(file.package(), message);
            }
            for values in &file.enum_type {
                let name = format!("{}.{}", file.package(), values.name());
                found.enums.insert(name, values.clone());
            }
        }
        found
    }

    fn add(&mut self, scope: &str, message: &DescriptorProto) {
        let name = format!("{scope}.{}", message.name());
        for nested in &message.nested_type {
            self.add(&name, nested);
        }
        for values in &message.enum_type {
            let name = format!("{name}.{}", values.name());
            self.enums.insert(name, values.clone());
        }
        self.messages.insert(name, message.clone());
    }

    /// The text of the table: the messages that `marks` reach, then the enums in them.
    pub(super) fn table(&self, marks: &Marks) -> Result<String> {
        let mut text = marks.head.join("\n");
        text.push('\n');
        let mut enums = BTreeSet::new();
        for name in self.reached(marks)? {
            writeln!(text, "message {name}")?;
            for field in &self.message(&name)?.field {
                let mark = marks.of(&name, field.name());
                let line = self.line(&name, field)?;
                writeln!(text, "{mark} {line}")?;
                if mark == USED && field.r#type() == Type::Enum {
                    enums.insert(full(field));
                }
            }
        }
        for name in enums {
            let values = self
                .enums
                .get(&name)
                .with_context(|| format!("no enum {name}"))?;
            let values = values.value.iter();
            let values: Vec<String> = values
                .map(|v| format!("{}={}", v.name(), v.number()))
                .collect();
            writeln!(text, "enum {name} {}", values.join(" "))?;
        }
        Ok(text)
    }

    fn reached(&self, marks: &Marks) -> Result<BTreeSet<String>> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<String> = marks.roots().map(str::to_owned).collect();
        while let Some(name) = open.pop() {
            // Google's own messages have forms of their own in JSON, which the proxy knows.
            if name.starts_with("google.protobuf.") || !reached.insert(name.clone()) {
                continue;
            }
            let used = |field: &&FieldDescriptorProto| marks.of(&name, field.name()) == USED;
            for field in self.message(&name)?.field.iter().filter(used) {
                if field.r#type() == Type::Message {
                    open.push(self.target(&name, field)?.1);
                }
            }
        }
        Ok(reached)
    }

    fn message(&self, name: &str) -> Result<&DescriptorProto> {
        self.messages
            .get(name)
            .with_context(|| format!("no message {name}"))
    }

    /// Name, number, `one`, `list` or `map`, type, and the oneof that the field is a member of.
    fn line(&self, message: &str, field: &FieldDescriptorProto) -> Result<String> {
        let (count, target) = self.target(message, field)?;
        let mut line = format!("{} {} {count} {target}", field.name(), field.number());
        if let Some(at) = field.oneof_index.filter(|_| !field.proto3_optional()) {
            let oneof = &self.message(message)?.oneof_decl[usize::try_from(at)?];
            write!(line, " {}", oneof.name())?;
        }
        Ok(line)
    }

    fn target(&self, message: &str, field: &FieldDescriptorProto) -> Result<(&str, String)> {
        let entry = format!("{message}.");
        if field.r#type() == Type::Message && full(field).starts_with(&entry) {
            let nested = self.message(&full(field))?;
            if nested
                .options
                .as_ref()
                .is_some_and(|options| options.map_entry())
            {
                let value = nested.field.iter().find(|field| field.number() == 2);
                return Ok(("map", kind(value.context("a map without values")?)));
            }
        }
        let count = if field.label() == Label::Repeated {
            "list"
        } else {
            "one"
        };
        Ok((count, kind(field)))
    }
}

fn kind(field: &FieldDescriptorProto) -> String {
    match field.r#type() {
        Type::Message | Type::Group => full(field),
        Type::Enum => format!("enum:{}", full(field)),
        scalar => scalar
            .as_str_name()
            .trim_start_matches("TYPE_")
            .to_lowercase(),
    }
}

fn full(field: &FieldDescriptorProto) -> String {
    field.type_name().trim_start_matches('.').to_owned()
}
