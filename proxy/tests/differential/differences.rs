//! The table of differences that stand, each with its reason: `differences.txt`.
//!
//! `! reason` begins a group; its entries are `case => aspect, aspect`, where `*` is any text.

use std::cell::Cell;

/// One difference that stands.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) line: String,
    case: String,
    aspects: Vec<String>,
    used: Cell<bool>,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Table(Vec<Entry>);

impl Table {
    /// Reads the table.
    pub(crate) fn read(text: &str) -> Self {
        let lines = text.lines().map(str::trim);
        let mut reason = "";
        let mut entries = Vec::new();
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(text) = line.strip_prefix("! ") {
                reason = text;
                continue;
            }
            assert!(!reason.is_empty(), "an entry without a reason: {line}");
            let (case, aspects) = line
                .rsplit_once(" => ")
                .unwrap_or_else(|| panic!("no entry: {line}"));
            entries.push(Entry {
                line: line.to_owned(),
                case: case.to_owned(),
                aspects: aspects.split(", ").map(str::to_owned).collect(),
                used: Cell::new(false),
            });
        }
        Self(entries)
    }

    /// Whether this difference stands.
    pub(crate) fn has(&self, case: &str, aspect: &str) -> bool {
        let mut found = false;
        for entry in &self.0 {
            if entry.aspects.iter().any(|one| matches(one, aspect)) && matches(&entry.case, case) {
                entry.used.set(true);
                found = true;
            }
        }
        found
    }

    /// Entries for which there is no difference any more.
    pub(crate) fn unused(&self) -> Vec<&str> {
        let unused = self.0.iter().filter(|entry| !entry.used.get());
        unused.map(|entry| entry.line.as_str()).collect()
    }
}

/// Whether `text` is `pattern`, where `*` is any text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(rest) = text.strip_prefix(before) else {
        return false;
    };
    (0..=rest.len())
        .filter(|at| rest.is_char_boundary(*at))
        .any(|at| matches(after, &rest[at..]))
}

#[test]
fn a_star_is_any_text() {
    for (pattern, text, expected) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("a*", "ab", true),
        ("*b*", "abc", true),
        ("a*c", "abcc", true),
        ("a*d", "abcc", false),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}
