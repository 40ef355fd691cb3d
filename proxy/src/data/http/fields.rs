//! Header fields: one block of text and a table of where names and values stand.

use std::borrow::Cow;

/// Header fields in the order they came. Names are lower case; values hold no control characters.
///
/// One message needs two allocations however many fields it has, and a recycled one none.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    text: Vec<u8>,
    spans: Vec<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    name: u32,
    value: u32,
    end: u32,
}

impl Fields {
    /// Forgets every field and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.spans
            .iter()
            .map(|span| (self.name(*span), self.value(*span)))
    }

    /// The first value of `name`, which must be lower case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// The first value of `name` when it is visible ASCII or UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Every value of `name`.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.spans
            .iter()
            .filter(move |span| self.is_named(**span, name))
            .map(|span| self.value(*span))
    }

    /// All values of `name` joined by a comma, as policies see them (RFC 9110 §5.3).
    pub fn joined(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut values = self.all(name);
        let first = String::from_utf8_lossy(values.next()?);
        let Some(second) = values.next() else {
            return Some(first);
        };
        let mut joined = first.into_owned();
        for value in std::iter::once(second).chain(values) {
            joined.push(',');
            joined.push_str(&String::from_utf8_lossy(value));
        }
        Some(Cow::Owned(joined))
    }

    /// Whether a field of that name exists.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether one element of the comma-separated list `name` is `token`, ignoring case.
    pub fn lists(&self, name: &str, token: &str) -> bool {
        self.all(name)
            .flat_map(elements)
            .any(|found| found.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Adds a field after the others. The name is stored in lower case.
    pub fn push(&mut self, name: &str, value: &[u8]) {
        let start = self.text.len();
        self.text.extend_from_slice(name.as_bytes());
        self.text[start..].make_ascii_lowercase();
        let middle = self.text.len();
        self.text.extend_from_slice(value);
        let position = |at: usize| u32::try_from(at).expect("heads are limited to far below 4 GiB");
        let end = self.text.len();
        self.spans.push(Span {
            name: position(start),
            value: position(middle),
            end: position(end),
        });
    }

    /// Replaces every field of that name by one.
    pub fn set(&mut self, name: &str, value: &[u8]) {
        self.remove(name);
        self.push(name, value);
    }

    /// Adds a field unless there is one of that name.
    pub fn set_if_absent(&mut self, name: &str, value: &[u8]) {
        if !self.contains(name) {
            self.push(name, value);
        }
    }

    /// Removes every field of that name; says whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.spans.len();
        let Self { text, spans } = self;
        spans.retain(|span| &text[span.name as usize..span.value as usize] != name.as_bytes());
        spans.len() != before
    }

    /// Keeps the fields for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &[u8]) -> bool) {
        let Self { text, spans } = self;
        spans.retain(|span| {
            let name = &text[span.name as usize..span.value as usize];
            let name = std::str::from_utf8(name).expect("names are tokens");
            keep(name, &text[span.value as usize..span.end as usize])
        });
    }

    /// Sum of name and value lengths plus four for each field, as they stand in HTTP/1.
    pub fn wire_bytes(&self) -> usize {
        self.spans
            .iter()
            .map(|span| (span.end - span.name) as usize + 4)
            .sum()
    }

    fn is_named(&self, span: Span, name: &str) -> bool {
        &self.text[span.name as usize..span.value as usize] == name.as_bytes()
    }

    fn name(&self, span: Span) -> &str {
        std::str::from_utf8(&self.text[span.name as usize..span.value as usize])
            .expect("names are tokens")
    }

    fn value(&self, span: Span) -> &[u8] {
        &self.text[span.value as usize..span.end as usize]
    }
}

/// The elements of a comma-separated list, trimmed, empty ones left out (RFC 9110 §5.6.1).
pub fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Fields {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        let mut fields = Self::default();
        for (name, value) in pairs {
            fields.push(name, value.as_bytes());
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_and_order_is_kept() {
        let mut fields = Fields::default();
        fields.push("Via", b"a");
        fields.push("X-One", b"1");
        fields.push("via", b"b");
        let found: Vec<_> = fields.iter().collect();
        assert_eq!(found, [("via", &b"a"[..]), ("x-one", b"1"), ("via", b"b")]);
        assert_eq!(fields.joined("via").as_deref(), Some("a,b"));
    }

    #[test]
    fn setting_leaves_one_field_of_that_name() {
        let mut fields: Fields = [("a", "1"), ("b", "2"), ("a", "3")].into_iter().collect();
        fields.set("a", b"4");
        assert_eq!(fields, [("b", "2"), ("a", "4")].into_iter().collect());
    }

    #[test]
    fn a_list_is_searched_by_element() {
        let fields: Fields = [("connection", "keep-alive, Upgrade")]
            .into_iter()
            .collect();
        assert!(fields.lists("connection", "upgrade"));
        assert!(!fields.lists("connection", "up"));
    }
}
