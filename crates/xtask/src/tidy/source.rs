//! Rules for one source file.

use std::path::Path;

const LINES: usize = 400;

/// What is wrong with a file, each as `file:line: what`.
pub(super) fn check(file: &Path, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let name = file.display();
    let length = text.lines().count();
    if length > LINES {
        complaints.push(format!(
            "{name}: {length} lines, {LINES} at most: split it where the second idea begins"
        ));
    }
    if opens_a_module(file) && !text.starts_with("//!") {
        complaints.push(format!(
            "{name}: must open with a `//!` comment: what it is, what flows in and out"
        ));
    }
    let lines = text.lines().enumerate();
    complaints.extend(lines.filter_map(|(n, line)| {
        line_fault(line).map(|fault| format!("{name}:{}: {fault}", n + 1))
    }));
    complaints
}

fn opens_a_module(file: &Path) -> bool {
    file.file_name()
        .is_some_and(|name| name == "lib.rs" || name == "mod.rs" || name == "main.rs")
}

fn line_fault(line: &str) -> Option<&'static str> {
    // Spelled in two halves, so that this file obeys them itself.
    let rules = [
        (
            concat!("#[igno", "re"),
            "a test that is not run proves nothing: run it or delete it",
        ),
        (
            concat!("thread::sl", "eep("),
            "wait for the event, not for time",
        ),
        (
            concat!("license-identi", "fier"),
            "no licence headers: LICENSE speaks for every file",
        ),
    ];
    let lower = line.to_ascii_lowercase();
    let banned = rules
        .iter()
        .find(|(word, _)| lower.contains(word))
        .map(|(_, fault)| *fault);
    banned.or_else(|| nobodys_todo(line).then_some("write TODO(name): or do it"))
}

fn nobodys_todo(line: &str) -> bool {
    let comment = line.split_once("//").map_or("", |(_, comment)| comment);
    let word = concat!("TO", "DO");
    comment.contains(word) && !comment.contains(&format!("{word}("))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn each_rule_catches_its_fault() {
        let long = "\n".repeat(LINES + 1);
        let todo = ["// TO", "DO: later"].concat();
        let owned = ["// TO", "DO(ann): when kube 6 is out"].concat();
        let ignored = ["#[igno", "re]"].concat();
        let table = [
            // file          text                 complaints
            ("src/lib.rs",   "//! Good.\n",       0),
            ("src/lib.rs",   "pub fn a() {}\n",   1),
            ("src/a/mod.rs", "pub fn a() {}\n",   1),
            ("src/a.rs",     "pub fn a() {}\n",   0),
            ("src/a.rs",     long.as_str(),       1),
            ("src/a.rs",     todo.as_str(),       1),
            ("src/a.rs",     owned.as_str(),      0),
            ("src/a.rs",     ignored.as_str(),    1),
        ];
        for (file, text, expected) in table {
            let complaints = check(Path::new(file), text);
            assert_eq!(complaints.len(), expected, "{file}: {complaints:?}");
        }
    }
}
