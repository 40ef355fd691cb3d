//! HTTP over one downstream connection.
//!
//! A head becomes the one canonical [`head::Request`], a route is found, filters may answer, and
//! else one host does. Bodies stream through; nothing here holds more than a buffer of them.

pub mod body;
pub mod buffers;
pub mod downstream;
pub mod exchange;
pub mod failure;
pub mod fields;
pub mod h1;
pub mod head;
pub mod headers;
pub mod limits;
pub mod local;
pub mod pool;
pub mod record;
pub mod reply;
pub mod retry;
pub mod route;
pub mod shared;

use super::conn::ConnInfo;
use super::stream::Stream;
use super::worker::Worker;
use crate::config::Hcm;
use downstream::Downstream;
use std::rc::Rc;
use std::sync::Arc;

/// Serves HTTP on `stream` until it ends.
pub async fn serve(stream: Stream, info: Rc<ConnInfo>, hcm: Arc<Hcm>, worker: Rc<Worker>) {
    let down = Downstream::new(info, hcm, worker);
    h1::server::serve(stream, &down).await;
}

#[cfg(test)]
mod tests;
