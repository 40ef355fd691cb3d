//! Envoy's format strings. Source: Envoy `configuration/observability/access_log/usage`.

use super::field::{Simple, Value, text};
use super::record::Record;
use crate::config::LogFormat;
use crate::data::http::head::Request;
use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;
use std::time::SystemTime;

/// A `%COMMAND%` that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// A `%` without its partner.
    #[error("{0:?} has a '%' that no second one closes; write '%%' for a literal one")]
    Open(String),
    /// A command that we do not know.
    #[error("%{0}% is not a known command")]
    Unknown(String),
}

/// A compiled format string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Command(Command),
}

/// One command with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Command {
    Simple(Simple),
    /// Name, alternative, longest.
    Request(String, Option<String>, Option<usize>),
    Response(String, Option<String>, Option<usize>),
    /// strftime format; `None` is RFC 3339 with milliseconds.
    StartTime(Option<String>),
    /// Known to Envoy, never set here: metadata, filter state, trailers.
    Absent,
}

impl Template {
    /// Compiles `text`.
    ///
    /// # Errors
    /// [`BadTemplate`] for an unknown command or an open `%`.
    pub fn parse(text: &str) -> Result<Self, BadTemplate> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('%') {
            push_literal(&mut parts, literal);
            let end = end_of_command(after).ok_or_else(|| BadTemplate::Open(text.to_owned()))?;
            match &after[..end] {
                "" => push_literal(&mut parts, "%"),
                command => parts.push(Part::Command(Command::parse(command)?)),
            }
            rest = &after[end + 1..];
        }
        push_literal(&mut parts, rest);
        Ok(Self(parts))
    }

    /// The text for `record`; what is not known is written `-`.
    pub fn render(&self, record: &Record<'_>) -> String {
        let mut line = String::with_capacity(256);
        self.write(record, &mut line);
        line
    }

    fn write(&self, record: &Record<'_>, out: &mut String) {
        for part in &self.0 {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Command(command) => match command.value(record) {
                    Value::None => out.push('-'),
                    Value::Number(number) => {
                        write!(out, "{number}").expect("writing to a String cannot fail");
                    }
                    Value::Text(text) => push_visible(out, &text),
                },
            }
        }
    }

    /// One command alone keeps its type; anything else is text.
    fn json(&self, record: &Record<'_>) -> serde_json::Value {
        match &self.0[..] {
            [Part::Command(command)] => match command.value(record) {
                Value::None => serde_json::Value::Null,
                Value::Number(number) => number.into(),
                Value::Text(text) => text.into_owned().into(),
            },
            _ => self.render(record).into(),
        }
    }

    fn literal(text: &str) -> Self {
        Self(vec![Part::Literal(text.to_owned())])
    }
}

/// A `%` inside parentheses belongs to the arguments: `%START_TIME(%Y)%`.
fn end_of_command(text: &str) -> Option<usize> {
    let plain = text.find('%')?;
    match text.find('(') {
        Some(open) if open < plain => {
            let close = open + text[open..].find(')')?;
            text[close..].find('%').map(|at| close + at)
        }
        _ => Some(plain),
    }
}

fn push_literal(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Literal(before)) => before.push_str(text),
        Some(Part::Command(_)) | None => parts.push(Part::Literal(text.to_owned())),
    }
}

/// A client must not be able to forge a second line.
fn push_visible(out: &mut String, text: &str) {
    out.extend(text.chars().map(|c| if c.is_control() { '?' } else { c }));
}

impl Command {
    fn parse(text: &str) -> Result<Self, BadTemplate> {
        let unknown = || BadTemplate::Unknown(text.to_owned());
        let (name, arguments, longest) = split(text).ok_or_else(unknown)?;
        let headers = || {
            let arguments = arguments.unwrap_or_default().to_ascii_lowercase();
            let (main, other) = match arguments.split_once('?') {
                Some((main, other)) => (main.to_owned(), Some(other.to_owned())),
                None => (arguments, None),
            };
            (main, other, longest)
        };
        Ok(match name {
            "REQ" => {
                let (main, other, longest) = headers();
                Self::Request(main, other, longest)
            }
            "RESP" => {
                let (main, other, longest) = headers();
                Self::Response(main, other, longest)
            }
            "START_TIME" => Self::StartTime(arguments.map(str::to_owned)),
            "TRAILER" | "DYNAMIC_METADATA" | "UPSTREAM_METADATA" | "FILTER_STATE" | "METADATA"
            | "CONNECTION_ID" | "HOSTNAME" | "TRACE_ID" | "CLUSTER_METADATA" => Self::Absent,
            simple => Self::Simple(Simple::parse(simple).ok_or_else(unknown)?),
        })
    }

    fn value<'a>(&'a self, record: &Record<'a>) -> Value<'a> {
        match self {
            Self::Simple(simple) => simple.value(record),
            Self::StartTime(format) => text(Some(time(record.start, format.as_deref()))),
            Self::Absent => Value::None,
            Self::Request(main, other, longest) => {
                let Some(http) = record.http else {
                    return Value::None;
                };
                let found = request_field(http.request, main)
                    .or_else(|| request_field(http.request, other.as_deref()?));
                cut(found, *longest)
            }
            Self::Response(main, other, longest) => {
                let fields = record.http.and_then(|http| http.response);
                let field = |name: &str| fields.and_then(|fields| fields.joined(name));
                cut(field(main).or_else(|| field(other.as_deref()?)), *longest)
            }
        }
    }
}

/// `NAME(arguments):longest`
fn split(text: &str) -> Option<(&str, Option<&str>, Option<usize>)> {
    let (head, longest) = match text.rsplit_once(':') {
        Some((head, digits)) if !digits.contains(')') => (head, Some(digits.parse().ok()?)),
        _ => (text, None),
    };
    match head.split_once('(') {
        Some((name, rest)) => Some((name, Some(rest.strip_suffix(')')?), longest)),
        None => Some((head, None, longest)),
    }
}

fn request_field<'a>(request: &'a Request, name: &str) -> Option<Cow<'a, str>> {
    let pseudo = match name {
        ":authority" | "host" => request.authority.as_str(),
        ":method" => request.method.as_str(),
        ":path" => request.target.as_str(),
        ":scheme" => request.scheme,
        _ => return request.fields.joined(name),
    };
    (!pseudo.is_empty()).then_some(Cow::Borrowed(pseudo))
}

fn cut(found: Option<Cow<'_, str>>, longest: Option<usize>) -> Value<'_> {
    match (found, longest) {
        (None, _) => Value::None,
        (Some(found), None) => Value::Text(found),
        (Some(found), Some(longest)) => Value::Text(found.chars().take(longest).collect()),
    }
}

fn time(start: SystemTime, format: Option<&str>) -> String {
    let Ok(start) = jiff::Timestamp::try_from(start) else {
        return String::new();
    };
    match format {
        None => format!("{start:.3}"),
        Some(format) => jiff::fmt::strtime::format(format, start).unwrap_or_default(),
    }
}

/// A compiled [`LogFormat`].
#[derive(Debug)]
pub(super) enum Format {
    Text(Template),
    Json(Vec<(Arc<str>, Template)>),
}

impl Format {
    /// What cannot be read is written as it stands: a log line is no reason to stop traffic.
    pub(super) fn compile(format: &LogFormat) -> Self {
        let lenient =
            |text: &str| Template::parse(text).unwrap_or_else(|_| Template::literal(text));
        match format {
            LogFormat::Text(text) => Self::Text(lenient(text)),
            LogFormat::Json(fields) => {
                let fields = fields
                    .iter()
                    .map(|(key, text)| (Arc::clone(key), lenient(text)));
                Self::Json(fields.collect())
            }
        }
    }

    pub(super) fn line(&self, record: &Record<'_>) -> String {
        match self {
            Self::Text(template) => {
                let mut line = template.render(record);
                if !line.ends_with('\n') {
                    line.push('\n');
                }
                line
            }
            Self::Json(fields) => {
                let object: serde_json::Map<_, _> = fields
                    .iter()
                    .map(|(key, template)| (key.to_string(), template.json(record)))
                    .collect();
                format!("{}\n", serde_json::Value::Object(object))
            }
        }
    }
}
