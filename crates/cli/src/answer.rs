//! What a command answers, and its three forms.

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

/// Form of an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For both.
    Yaml,
}

/// What a command found out.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Whether it is yes.
    pub(crate) good: bool,
    /// For people.
    pub(crate) text: String,
    /// For programs.
    pub(crate) value: Value,
    /// Said beside the answer.
    pub(crate) notes: Vec<String>,
}

impl Answer {
    /// An answer in both forms.
    pub(crate) fn new(good: bool, text: String, value: &impl Serialize) -> Self {
        Self {
            good,
            text,
            value: json!(value),
            notes: Vec::new(),
        }
    }

    /// An answer that is a text in every form.
    pub(crate) fn text(text: String) -> Self {
        let value = Value::String(text.clone());
        Self::new(true, text, &value)
    }

    /// The answer in one form, with a line feed at its end.
    pub(crate) fn render(&self, output: Output) -> String {
        let text = match (output, &self.value) {
            (Output::Table, _) | (_, Value::String(_)) => self.text.clone(),
            (Output::Json, value) => format!("{value:#}"),
            (Output::Yaml, value) => yaml(value),
        };
        format!("{}\n", text.trim_end())
    }
}

/// `value` as YAML.
pub(crate) fn yaml(value: &Value) -> String {
    serde_saphyr::to_string(value).expect("JSON is YAML")
}

/// `rows` below `head`, each column as wide as it must be; the last one may be as long as it is.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|&title| title.to_owned()).collect();
    let all = || std::iter::once(&head).chain(rows);
    let width = |column: usize| {
        let cells = all().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let padded: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    all().map(line).collect()
}
