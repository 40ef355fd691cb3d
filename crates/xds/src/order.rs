//! The order in which types are asked for and pushed.

use weft_proto::type_url::{CLUSTER, ENDPOINTS, LISTENER, ROUTE, SECRET};

/// Make before break: what is pointed at goes before what points to it. Unknown types come last.
///
/// Routes do not warm: a route that arrives before its cluster answers 503 until the cluster is there.
pub fn rank(type_url: &str) -> usize {
    let order = [CLUSTER, ENDPOINTS, LISTENER, ROUTE, SECRET];
    order
        .iter()
        .position(|known| *known == type_url)
        .unwrap_or(order.len())
}
