//! Istio's names of resources.

use weft_model::sidecar::Bound;

/// Where traffic to unknown destinations leaves unchanged.
pub(crate) const PASSTHROUGH: &str = "PassthroughCluster";
/// Where traffic ends.
pub(crate) const BLACK_HOLE: &str = "BlackHoleCluster";
/// Where traffic to ports that no Service names enters.
pub(crate) const INBOUND_PASSTHROUGH: &str = "InboundPassthroughCluster";

/// The cluster that reaches port `port` of `host`, or its `subset`.
pub(crate) fn outbound(port: u16, subset: &str, host: &str) -> String {
    format!("outbound|{port}|{subset}|{host}")
}

/// The cluster that reaches the pod's own application.
pub(crate) fn inbound(port: u16) -> String {
    format!("inbound|{port}||")
}

/// The SNI that a client shows for a cluster of [`outbound`].
pub(crate) fn sni(port: u16, subset: &str, host: &str) -> String {
    format!("outbound_.{port}_.{subset}_.{host}")
}

/// The route table of a port whose protocol is not declared.
pub(crate) fn route_of(port: u16, host: &str) -> String {
    format!("{host}:{port}")
}

/// The route table of a port that a Sidecar has put at an address of its choice.
pub(crate) fn bound(of: &Bound) -> String {
    format!("{}_{}", of.place, of.number)
}
