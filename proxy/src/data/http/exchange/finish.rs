//! The books of a finished request: Istio's metrics and the access log.

use super::Flight;
use crate::config::{Action, Cluster, Direction};
use crate::data::http::body::Body;
use crate::data::http::downstream::Downstream;
use crate::data::http::head::{Request, Response};
use crate::data::http::local::Local;
use crate::data::report::{
    Finished, Flags, HttpRecord, Labels, Protocol, Record as LogRecord, Side, UpstreamRecord,
};
use std::sync::Arc;
use std::time::SystemTime;

/// Counts and logs the request of `flight`.
pub(super) fn report(flight: &Flight<'_>, body: &Body<'_>) {
    tally(flight);
    count(flight, body);
    if !flight.down.hcm.access_log.is_empty() {
        log(flight, body);
    }
}

/// Counts and logs what was no request.
pub fn refused(down: &Downstream, local: &Local, response: &Response) {
    let flags = local.flag.map_or(Flags::NONE, Flags::from);
    down.stats.finished(response.status, flags);
    if down.hcm.access_log.is_empty() {
        return;
    }
    let line = LogRecord {
        http: Some(HttpRecord {
            request: &Request::default(),
            code: response.status,
            response: Some(&response.fields),
            grpc_status: None,
            request_duration: None,
            response_duration: None,
        }),
        bytes_sent: local.body.len() as u64,
        code_details: &local.details,
        ..LogRecord::of_connection(&down.conn, SystemTime::now(), flags)
    };
    down.worker.report.log(&down.hcm.access_log, &line);
}

/// Envoy's counters.
fn tally(flight: &Flight<'_>) {
    let record = &flight.record;
    flight.down.stats.finished(record.status, record.flags);
    if let Some(upstream) = &record.upstream {
        upstream
            .stats
            .finished(record.status, record.flags, record.tries);
    }
}

fn count(flight: &Flight<'_>, body: &Body<'_>) {
    let report = &flight.down.worker.report;
    let record = &flight.record;
    if !record.counted {
        return;
    }
    let outbound = flight.down.conn.direction() == Direction::Outbound;
    let peer = if outbound {
        record.ends.as_ref().and_then(|ends| ends.peer.as_ref())
    } else {
        flight.down.conn.peer.as_ref()
    };
    let principal = peer.and_then(|peer| peer.uri.as_ref());
    // What the control plane says, when the other proxy said nothing.
    let known = record
        .host
        .as_ref()
        .filter(|_| outbound)
        .and_then(|host| host.workload());
    let grpc = flight.request.is_grpc();
    let refused = black_hole(flight);
    let labels = Labels {
        side: if outbound {
            Side::Source
        } else {
            Side::Destination
        },
        cluster: record.cluster.as_ref().or(refused.as_ref()),
        peer: record.peer.as_ref().or(known),
        principal,
        protocol: if grpc { Protocol::Grpc } else { Protocol::Http },
        code: record.status,
        grpc_status: record.grpc_status.filter(|_| grpc),
        flags: record.flags,
        mutual_tls: peer.is_some(),
    };
    let response = record
        .response
        .as_ref()
        .map_or(0, super::super::fields::Fields::wire_bytes);
    let done = Finished {
        duration: record.started.elapsed(),
        request_bytes: body.bytes() + flight.request.fields.wire_bytes() as u64,
        response_bytes: record.response_bytes + response as u64,
    };
    report.request(&labels, &done);
}

/// The cluster after which requests to unknown hosts are named that REGISTRY_ONLY refuses, as in
/// Istio; `None` for all others.
fn black_hole(flight: &Flight<'_>) -> Option<Arc<Cluster>> {
    let route = flight.record.route.as_ref()?;
    let refused = flight.record.cluster.is_none() && &*route.name == "block_all";
    let upstreams = &flight.down.worker.upstreams;
    let hole = refused.then(|| upstreams.get("BlackHoleCluster"))??;
    Some(Arc::clone(&hole.config))
}

fn log(flight: &Flight<'_>, body: &Body<'_>) {
    let record = &flight.record;
    let duration = record.started.elapsed();
    let routed = || match &record.route.as_ref()?.action {
        Action::Forward(forward) => match forward.clusters.as_slice() {
            [only] => Some(&only.name),
            _ => None, // the dice were not thrown
        },
        Action::Respond { .. } | Action::Redirect(_) => None,
    };
    let cluster = record.cluster.as_ref().map(|cluster| &cluster.name);
    let upstream = cluster.or_else(routed).map(|cluster| UpstreamRecord {
        cluster,
        host: record.host.as_ref().map(|host| host.address()),
        local: record.ends.as_ref().and_then(|ends| ends.local),
        peer: record.ends.as_ref().and_then(|ends| ends.peer.as_ref()),
        failure: &record.failure,
    });
    let line = LogRecord {
        conn: &flight.down.conn,
        http: Some(HttpRecord {
            request: &flight.request,
            code: record.status,
            response: record.response.as_ref(),
            grpc_status: record.grpc_status,
            request_duration: record.request_ended,
            response_duration: record.response_began,
        }),
        upstream,
        start: SystemTime::now()
            .checked_sub(duration)
            .unwrap_or(SystemTime::UNIX_EPOCH),
        duration,
        flags: record.flags,
        route: record.route.as_ref().map_or("", |route| &route.name),
        bytes_received: body.bytes(),
        bytes_sent: record.response_bytes,
        code_details: &record.details,
        termination: "",
    };
    flight
        .down
        .worker
        .report
        .log(&flight.down.hcm.access_log, &line);
}
