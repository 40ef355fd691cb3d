//! Why a resource is refused: where, and what is wrong there.

use std::fmt;

/// What is wrong with a resource; the text of a NACK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    path: String,
    reason: String,
}

/// A part of the configuration, or why not.
pub(super) type Outcome<T> = Result<T, Fault>;

impl Fault {
    /// A fault right here; callers add the way to it by [`At`].
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            reason: reason.into(),
        }
    }

    /// The way to the field, from the resource; empty when the whole is meant.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong there.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    fn under(mut self, field: &str) -> Self {
        let joint = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        self.path = format!("{field}{joint}{}", self.path);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.reason)
        } else {
            write!(f, "{}: {}", self.path, self.reason)
        }
    }
}

impl std::error::Error for Fault {}

/// Adds the way to a fault while it travels outwards.
pub(super) trait At<T> {
    /// The fault is inside the field `field`.
    fn at(self, field: &str) -> Outcome<T>;
    /// The fault is inside entry `index` of the list `field`.
    fn at_entry(self, field: &str, index: usize) -> Outcome<T>;
}

impl<T> At<T> for Outcome<T> {
    fn at(self, field: &str) -> Self {
        self.map_err(|fault| fault.under(field))
    }

    fn at_entry(self, field: &str, index: usize) -> Self {
        self.map_err(|fault| fault.under(&format!("{field}[{index}]")))
    }
}

/// Refuses the first of these fields that is set.
pub(super) fn unsupported(fields: &[(&str, bool)]) -> Outcome<()> {
    match fields.iter().find(|(_, set)| *set) {
        Some((field, _)) => {
            Err(Fault::new("this field is not supported here, remove it")).at(field)
        }
        None => Ok(()),
    }
}

/// Decodes each entry of the list `field`.
pub(super) fn each<T, U>(
    field: &str,
    list: &[T],
    decode: impl Fn(&T) -> Outcome<U>,
) -> Outcome<Vec<U>> {
    list.iter()
        .enumerate()
        .map(|(index, entry)| decode(entry).at_entry(field, index))
        .collect()
}
