//! YAML or JSON text as a tree whose nodes know their lines. JSON is read as the YAML that it is.

use super::problem::Problem;
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use std::collections::HashMap;

/// Deeper nesting is not a configuration.
const DEPTH: usize = 100;
/// More nodes, aliases counted in full, are not one either.
const NODES: usize = 1_000_000;

/// A part of the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// Where it begins, from 1.
    pub(super) line: usize,
    /// What it is.
    pub(super) value: Value,
}

/// The kinds of nodes. Scalars stay text until the field that they are for says how to read them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A scalar without quotes, which may be a number or a boolean.
    Plain(String),
    /// A scalar that is text and nothing else.
    Quoted(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the text.
    Map(Vec<Entry>),
}

/// One key of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// Its name.
    pub(super) key: String,
    /// Where the key stands.
    pub(super) line: usize,
    /// Its value.
    pub(super) node: Node,
}

impl Node {
    /// The value of `key`, if this is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else {
            return None;
        };
        let entry = entries.iter().find(|entry| entry.key == key)?;
        Some(&entry.node)
    }

    /// The entry at `index`, if this is a list that has it.
    pub(super) fn entry(&self, index: usize) -> Option<&Self> {
        match &self.value {
            Value::List(list) => list.get(index),
            Value::Null | Value::Plain(_) | Value::Quoted(_) | Value::Map(_) => None,
        }
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Plain(text) | Value::Quoted(text) => Some(text),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }
}

/// Reads one document.
///
/// # Errors
/// The first thing that is no YAML, a second document, or a key that is there twice.
pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        anchors: HashMap::new(),
        nodes: 0,
    };
    let root = match reader.next()? {
        (Event::StreamEnd, line) => return Err(Problem::at(line, "the file is empty")),
        first => reader.node(first, 0)?,
    };
    match reader.next()? {
        (Event::StreamEnd, _) => Ok(root),
        (_, line) => Err(Problem::at(
            line,
            "only one document can be run; remove the others",
        )),
    }
}

struct Reader<'a> {
    events: Parser<'a, serde_saphyr::granit_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    /// The next event that has to do with data, and its line.
    fn next(&mut self) -> Result<(Event<'a>, usize), Problem> {
        loop {
            let next: Option<Result<(Event<'a>, Span), ScanError>> = self.events.next();
            let Some(next) = next else {
                return Ok((Event::StreamEnd, 0));
            };
            let (event, span) =
                next.map_err(|error| Problem::at(error.marker().line(), error.info().to_string()))?;
            let presentation = matches!(
                event,
                Event::StreamStart
                    | Event::DocumentStart(..)
                    | Event::DocumentEnd
                    | Event::Comment(..)
            );
            if !presentation {
                return Ok((event, span.start.line()));
            }
        }
    }

    fn node(&mut self, (event, line): (Event<'a>, usize), depth: usize) -> Result<Node, Problem> {
        self.count(1, depth, line)?;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => (scalar(&text, style), anchor),
            Event::SequenceStart(_, anchor, _) => (self.list(depth)?, anchor),
            Event::MappingStart(_, anchor, _) => (self.map(depth)?, anchor),
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                let node =
                    known.ok_or_else(|| Problem::at(line, "an alias inside its own anchor"))?;
                self.count(size(&node), depth, line)?;
                return Ok(node);
            }
            other => return Err(Problem::at(line, format!("{other:?} is not expected here"))),
        };
        let node = Node { line, value };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn count(&mut self, more: usize, depth: usize, line: usize) -> Result<(), Problem> {
        self.nodes += more;
        if self.nodes > NODES || depth > DEPTH {
            return Err(Problem::at(
                line,
                "the file is too large or nested too deeply",
            ));
        }
        Ok(())
    }

    fn list(&mut self, depth: usize) -> Result<Value, Problem> {
        let mut list = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(list)),
                event => list.push(self.node(event, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (key, line) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Map(entries)),
                (Event::Scalar(key, ..), line) => (key.into_owned(), line),
                (_, line) => return Err(Problem::at(line, "a key must be a word")),
            };
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let reason = format!("`{key}` is there twice, first in line {}", first.line);
                return Err(Problem::at(line, reason));
            }
            let value = self.next()?;
            let node = self.node(value, depth + 1)?;
            entries.push(Entry { key, line, node });
        }
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    match (style, text) {
        (ScalarStyle::Plain, "" | "~" | "null" | "Null" | "NULL") => Value::Null,
        (ScalarStyle::Plain, _) => Value::Plain(text.to_owned()),
        _ => Value::Quoted(text.to_owned()),
    }
}

fn size(node: &Node) -> usize {
    let inside = match &node.value {
        Value::Null | Value::Plain(_) | Value::Quoted(_) => 0,
        Value::List(list) => list.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|entry| size(&entry.node)).sum(),
    };
    1 + inside
}
