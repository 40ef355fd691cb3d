//! Which resources of a type a client wants; the wildcard rules of both protocol variants.

use std::collections::BTreeSet;
use std::sync::Arc;

/// The explicit name of the wildcard.
pub(crate) const WILDCARD: &str = "*";
/// More names than this on one type of one stream are an attack or a bug.
const MOST_NAMES: usize = 100_000;
/// Longest name that we store; the longest that Kubernetes can make is far below.
const LONGEST_NAME: usize = 4096;

/// A client asks for more than any client needs.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Excess {
    /// Too many names on one type.
    #[error("more than {MOST_NAMES} names of one type; use the wildcard")]
    Names,
    /// A name of absurd length.
    #[error("a resource name of {length} bytes; at most {LONGEST_NAME} are allowed")]
    Length {
        /// Bytes of the name.
        length: usize,
    },
    /// Too many types on one stream.
    #[error("more than {limit} types on one stream")]
    Types {
        /// Types that one stream may ask for.
        limit: usize,
    },
}

/// How much of a type the client wants beside the names.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Scope {
    /// Nothing was asked yet: an empty first request means everything.
    #[default]
    Unasked,
    /// Everything.
    All,
    /// Only the names; an empty list of them means nothing, for the rest of the stream.
    Named,
}

/// The subscription of one type on one stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interest {
    scope: Scope,
    names: BTreeSet<Arc<str>>,
}

impl Interest {
    pub(crate) fn is_unasked(&self) -> bool {
        self.scope == Scope::Unasked
    }

    pub(crate) fn is_wildcard(&self) -> bool {
        self.scope == Scope::All
    }

    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.names.iter().map(ToString::to_string)
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.is_wildcard() || self.is_named(name)
    }

    /// Whether something is wanted here that was not wanted before.
    pub(crate) fn exceeds(&self, before: &Self) -> bool {
        self.is_wildcard() && !before.is_wildcard()
            || self.names.iter().any(|name| !before.is_named(name))
    }

    /// Adds names of a delta request. In delta, a name beside a legacy wildcard leaves the wildcard alone.
    pub(crate) fn add(&mut self, names: &[String]) -> Result<(), Excess> {
        if names.is_empty() && self.is_unasked() {
            self.scope = Scope::All;
        }
        for name in names {
            self.add_one(name)?;
        }
        Ok(())
    }

    /// Removes names of a delta request.
    pub(crate) fn remove(&mut self, names: &[String]) {
        for name in names {
            match name.as_str() {
                WILDCARD => self.scope = Scope::Named,
                name => _ = self.names.remove(name),
            }
        }
    }

    /// Replaces everything, as each state-of-the-world request does.
    pub(crate) fn replace(&mut self, names: &[String]) -> Result<(), Excess> {
        let legacy = names.is_empty() && self.scope != Scope::Named && self.names.is_empty();
        self.names.clear();
        self.scope = if legacy { Scope::All } else { Scope::Named };
        if legacy { Ok(()) } else { self.add(names) }
    }

    fn add_one(&mut self, name: &str) -> Result<(), Excess> {
        if name == WILDCARD {
            self.scope = Scope::All;
            return Ok(());
        }
        if name.len() > LONGEST_NAME {
            return Err(Excess::Length { length: name.len() });
        }
        if self.is_unasked() {
            self.scope = Scope::Named;
        }
        self.names.insert(name.into());
        if self.names.len() > MOST_NAMES {
            Err(Excess::Names)
        } else {
            Ok(())
        }
    }
}
