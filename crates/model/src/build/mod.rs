//! How a snapshot is computed, part by part.

pub(crate) mod endpoints;
pub(crate) mod inbound;
pub(crate) mod scopes;
pub(crate) mod services;
