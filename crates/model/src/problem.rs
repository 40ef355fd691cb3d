//! A fault in somebody's object, as it is shown to them.

use crate::objects::Key;

/// The object that a [`Problem`] is about.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ObjectRef {
    /// API group, such as `networking.istio.io`; empty for the core group.
    pub group: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Namespace and name.
    pub key: Key,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// What the object says is done, but surely not what was meant.
    Warning,
    /// The object, or the part of it that `field` names, is not applied.
    Error,
}

/// A fault that its owner can repair.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Problem {
    /// The object at fault.
    pub object: ObjectRef,
    /// Path of the field, such as `spec.http[0].route[1].weight`.
    pub field: String,
    /// One word for programs, such as `Conflict`.
    pub reason: &'static str,
    /// What happened, to what.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// How bad it is.
    pub severity: Severity,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            object,
            field,
            message,
            remedy,
            ..
        } = self;
        let Key { namespace, name } = &object.key;
        write!(
            f,
            "{} {namespace}/{name}: {field}: {message}; {remedy}",
            object.kind
        )
    }
}
