//! RDS: which requests go where.

mod domains;
mod filters;
mod forward;
mod headers;
mod matches;
mod table;
mod virtual_service;

pub(crate) use forward::{cluster, number_of};
pub(crate) use matches::everything;
pub(crate) use table::{inline, inline_passthrough, is_http, of_port, of_service, table};
pub(crate) use virtual_service::{best, origin, routes};
