//! What is wrong with a file: where, and what to do.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong, or that has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// From 1; 0 when the whole file is meant.
    pub line: usize,
    /// The field, from the top; empty when there is none.
    pub path: String,
    /// What is wrong with it, and the remedy.
    pub reason: String,
}

impl Problem {
    /// A problem of the text itself.
    pub(super) fn at(line: usize, reason: impl Into<String>) -> Self {
        Self::field(line, "", reason)
    }

    /// A problem of the field `path`.
    pub(super) fn field(line: usize, path: &str, reason: impl Into<String>) -> Self {
        Self {
            line,
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    /// `bootstrap.yaml:12: static_resources.clusters[0].name: …`
    pub fn text(&self, file: &Path) -> String {
        let place = file.display();
        let place = match self.line {
            0 => place.to_string(),
            line => format!("{place}:{line}"),
        };
        match self.path.as_str() {
            "" => format!("{place}: {}", self.reason),
            path => format!("{place}: {path}: {}", self.reason),
        }
    }
}

/// Why a file cannot be run: everything that is wrong with it, a line for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The file.
    pub file: PathBuf,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.problems.iter().map(|p| p.text(&self.file)).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Refused {}
