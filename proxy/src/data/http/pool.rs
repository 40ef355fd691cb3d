//! Upstream HTTP connections that wait for their next request.

/// One worker's idle connections to one host.
#[derive(Debug, Default)]
pub struct HostPool;
