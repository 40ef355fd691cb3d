//! RDS: which requests go where.

mod domains;
mod table;

pub(crate) use table::{inline, inline_passthrough, of_port, of_service};
