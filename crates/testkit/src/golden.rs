//! Golden files: what a translation says, kept where a reviewer reads it.

use std::path::{Path, PathBuf};

/// The folders of the cases below `root`, in name order.
///
/// # Panics
/// If `root` is not there.
pub fn cases(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).unwrap_or_else(|error| panic!("{root:?}: {error}"));
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut cases: Vec<_> = paths
        .filter(|path| path.join("in.yaml").is_file())
        .collect();
    cases.sort();
    cases
}

/// The value after `# <key>:` in the head of `yaml`; several such lines are several values.
pub fn header<'a>(yaml: &'a str, key: &str) -> Vec<&'a str> {
    let head = yaml.lines().take_while(|line| line.starts_with('#'));
    let values = head.filter_map(|line| {
        let line = line.trim_start_matches('#').trim();
        Some(line.strip_prefix(key)?.strip_prefix(':')?.trim())
    });
    values.collect()
}

/// How `actual` differs from the file at `path`; with `UPDATE_GOLDEN` set the file is rewritten.
///
/// # Panics
/// If the file cannot be written.
pub fn difference(path: &Path, actual: &str) -> Option<String> {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, actual).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        return None;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    let mut lines = expected.lines().zip(actual.lines()).enumerate();
    let first = lines.find(|(_, (expected, actual))| expected != actual);
    let (number, expected, actual) = match first {
        Some((number, (expected, actual))) => (number + 1, expected, actual),
        None if expected == actual => return None,
        None => (0, "as many lines", "more or fewer"),
    };
    Some(format!(
        "{}:{number}: expected `{expected}`, is `{actual}`; UPDATE_GOLDEN=1 accepts it",
        path.display()
    ))
}
