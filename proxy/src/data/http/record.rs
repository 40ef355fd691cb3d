//! What becomes known of one request, for counters and logs.

use crate::config::{Cluster, Route};
use crate::data::choose::{Host, Upstream};
use crate::data::dial::Ends;
use crate::data::http::fields::Fields;
use crate::data::report::{Flags, Workload};
use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One request as far as it has gone.
#[derive(Debug)]
pub struct Record {
    /// When its head had arrived.
    pub started: Instant,
    /// Why it ended as it did.
    pub flags: Flags,
    /// Envoy `RESPONSE_CODE_DETAILS`.
    pub details: Cow<'static, str>,
    /// Status that the client got; 0 when none.
    pub status: u16,
    /// Fields that the client got.
    pub response: Option<Fields>,
    /// gRPC status, from head or trailers.
    pub grpc_status: Option<u32>,
    /// Body bytes to the client.
    pub response_bytes: u64,
    /// When the request had been sent on completely.
    pub request_ended: Option<Duration>,
    /// When the upstream began to answer.
    pub response_began: Option<Duration>,
    /// The route.
    pub route: Option<Arc<Route>>,
    /// The cluster.
    pub cluster: Option<Arc<Cluster>>,
    /// What this worker has of it.
    pub upstream: Option<Rc<Upstream>>,
    /// The host that was tried last.
    pub host: Option<Rc<Host>>,
    /// Our address towards it, and who it proved to be.
    pub ends: Option<Rc<Ends>>,
    /// Why no connection was made.
    pub failure: String,
    /// What the other proxy said of its workload.
    pub peer: Option<Arc<Workload>>,
    /// Whether Istio's metrics count it.
    pub counted: bool,
    /// Tries.
    pub tries: u32,
}

impl Record {
    /// A request that has just arrived.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            flags: Flags::NONE,
            details: Cow::Borrowed(""),
            status: 0,
            response: None,
            grpc_status: None,
            response_bytes: 0,
            request_ended: None,
            response_began: None,
            route: None,
            cluster: None,
            upstream: None,
            host: None,
            ends: None,
            failure: String::new(),
            peer: None,
            counted: false,
            tries: 0,
        }
    }
}

impl Default for Record {
    fn default() -> Self {
        Self::new()
    }
}
