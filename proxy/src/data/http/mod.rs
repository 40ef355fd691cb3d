//! HTTP over one downstream connection.
//!
//! A head becomes the one canonical [`head::Request`], a route is found, filters may answer, and
//! else one host does. Bodies stream through; nothing here holds more than a buffer of them.

pub mod body;
pub mod buffers;
pub mod codec;
pub mod dialling;
pub mod downstream;
pub mod exchange;
pub mod failure;
pub mod fields;
pub mod h1;
pub mod h2;
pub mod head;
pub mod headers;
pub mod limits;
pub mod local;
pub mod pool;
pub mod record;
pub mod reply;
pub mod retry;
pub mod rewound;
pub mod route;
pub mod shared;

use super::conn::ConnInfo;
use super::stream::Stream;
use super::worker::Worker;
use crate::config::Hcm;
use codec::Spoken;
use downstream::Downstream;
use rewound::Rewound;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Serves HTTP on `stream` until it ends.
pub async fn serve(stream: Stream, info: Rc<ConnInfo>, hcm: Arc<Hcm>, worker: Rc<Worker>) {
    let down = Downstream::new(info, hcm, worker);
    let mut buffer = down.worker.http.buffers.buffer();
    let stream = RefCell::new(stream);
    match codec::decide(&down, &stream, &mut buffer).await {
        Some(Spoken::Http1) => h1::server::serve(stream, buffer, &down).await,
        Some(Spoken::Http2) => {
            let rewound = Rewound::new(stream.into_inner(), buffer.filled().to_vec());
            drop(buffer);
            Box::pin(h2::server::serve(rewound, &down)).await;
        }
        None => {}
    }
}

#[cfg(test)]
mod tests;
