//! HTTP over one downstream connection.

pub mod body;
pub mod buffers;
pub mod fields;
pub mod h1;
pub mod head;
pub mod pool;

use super::conn::ConnInfo;
use super::stream::Stream;
use super::worker::Worker;
use crate::config::Hcm;
use std::rc::Rc;
use std::sync::Arc;

/// Serves HTTP on `stream` until it ends.
pub async fn serve(stream: Stream, info: Rc<ConnInfo>, hcm: Arc<Hcm>, worker: Rc<Worker>) {
    let _ = (stream, info, hcm, worker);
}
