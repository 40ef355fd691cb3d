//! Peer metadata: proxies tell each other which workload they stand beside (Istio's
//! `istio.metadata_exchange`). Never reaches an application, and never leaves the mesh.

use super::Flight;
use crate::config::{Cluster, Direction, HttpFilter};
use crate::data::http::fields::Fields;

const METADATA: &str = "x-envoy-peer-metadata";
const ID: &str = "x-envoy-peer-metadata-id";

/// Reads what the caller says and keeps it from the application; an application says nothing.
pub(super) fn on_request(flight: &mut Flight<'_>) {
    if !is_on(flight) {
        return;
    }
    let found = take(&mut flight.request.fields);
    if flight.down.conn.direction() == Direction::Inbound {
        let report = &flight.down.worker.report;
        flight.record.peer = found.map(|header| report.peer(&header));
    }
}

/// Tells the callee who calls, if it is a service of the mesh's.
pub(super) fn announce(flight: &mut Flight<'_>, cluster: &Cluster) {
    let outbound = flight.down.conn.direction() == Direction::Outbound;
    let inside = cluster.service.is_some() && !cluster.external;
    if outbound && is_on(flight) && inside {
        add(flight.down, &mut flight.request.fields);
    }
}

/// The same on the way back: a caller that said who it is learns who answered.
pub(super) fn on_response(flight: &mut Flight<'_>, fields: &mut Fields) {
    if !is_on(flight) {
        return;
    }
    let found = take(fields);
    match flight.down.conn.direction() {
        Direction::Outbound => {
            let report = &flight.down.worker.report;
            flight.record.peer = found.map(|header| report.peer(&header));
        }
        Direction::Inbound if flight.record.peer.is_some() => add(flight.down, fields),
        Direction::Inbound | Direction::Unspecified => {}
    }
}

fn is_on(flight: &Flight<'_>) -> bool {
    flight.down.hcm.filters.contains(&HttpFilter::PeerMetadata)
}

/// Keeps what proxies tell each other from who is not of the mesh.
pub(super) fn withhold(fields: &mut Fields) {
    fields.remove(ID);
    fields.remove(METADATA);
}

fn take(fields: &mut Fields) -> Option<Vec<u8>> {
    let found = fields.get(METADATA).map(<[u8]>::to_vec);
    if fields.remove(ID) || found.is_some() {
        fields.remove(METADATA);
    }
    found
}

fn add(down: &super::Downstream, fields: &mut Fields) {
    let (id, metadata) = down.worker.report.announcement();
    fields.push(ID, id.as_bytes());
    fields.push(METADATA, metadata.as_bytes());
}
