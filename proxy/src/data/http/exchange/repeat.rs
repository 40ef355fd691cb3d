//! What another try needs besides the policy's wish.

use crate::data::choose::{Permit, Upstream};
use std::cell::{Cell, OnceCell};

/// Whether the request can be sent again; asked before an answer is given up for another try.
#[derive(Debug)]
pub(super) struct Repeat<'a> {
    pub(super) upstream: &'a Upstream,
    /// Whether the body is still remembered from its beginning.
    memory: Option<&'a Cell<bool>>,
    /// The retry in flight, from the first one on.
    permit: OnceCell<Permit>,
}

impl<'a> Repeat<'a> {
    pub(super) fn new(upstream: &'a Upstream, memory: Option<&'a Cell<bool>>) -> Self {
        Self {
            upstream,
            memory,
            permit: OnceCell::new(),
        }
    }

    /// Whether nothing of the request is forgotten and the circuit breaker lets it be sent again.
    pub(super) fn is_possible(&self) -> bool {
        self.memory.is_some_and(Cell::get) && self.is_permitted()
    }

    fn is_permitted(&self) -> bool {
        if self.permit.get().is_some() {
            return true;
        }
        let permit = self.upstream.retry_permit();
        permit.is_some_and(|permit| self.permit.set(permit).is_ok())
    }
}
