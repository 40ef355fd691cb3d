//! What a person decided: the types to begin with, and a mark for each field.

use std::collections::BTreeMap;

/// A field that nobody has decided about is refused.
pub(super) const REFUSED: char = '-';
/// A field that the proxy reads; the messages in it are listed too.
pub(super) const USED: char = '+';

/// The hand-written part of the table.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Lines before the first message: comments and the types that an `Any` may hold.
    pub(super) head: Vec<String>,
    fields: BTreeMap<(String, String), char>,
}

impl Marks {
    /// Takes the marks out of a table, whatever else is in it.
    pub(super) fn read(text: &str) -> Self {
        let mut marks = Self::default();
        let mut message = None;
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match (words.as_slice(), &message) {
                (["message", name], _) => message = Some((*name).to_owned()),
                (["enum", ..], _) => break,
                ([mark, field, ..], Some(message)) => {
                    let mark = mark.chars().next().unwrap_or(REFUSED);
                    let key = (message.clone(), (*field).to_owned());
                    marks.fields.insert(key, mark);
                }
                (_, None) => marks.head.push(line.to_owned()),
                (_, Some(_)) => {}
            }
        }
        marks
    }

    /// The types to begin with.
    pub(super) fn roots(&self) -> impl Iterator<Item = &str> {
        self.head
            .iter()
            .filter_map(|line| line.strip_prefix("any "))
    }

    /// The mark of `field` in `message`.
    pub(super) fn of(&self, message: &str, field: &str) -> char {
        let key = (message.to_owned(), field.to_owned());
        self.fields.get(&key).copied().unwrap_or(REFUSED)
    }
}
