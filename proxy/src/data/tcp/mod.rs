//! TCP over one downstream connection: choose, dial, copy both ways, keep the books.
//!
//! Source: Envoy `tcp_proxy`.

mod connect;
mod copy;
mod exchange;

pub use connect::{Connected, connect};

use super::conn::ConnInfo;
use super::report::{
    Flag, Flags, Labels, Protocol, Record, Side, TcpSeries, TcpStats, UpstreamRecord, Workload,
};
use super::stream::Stream;
use super::worker::Worker;
use crate::config::{Cluster, Direction, TcpProxy};
use connect::Failed;
use copy::{Begins, Ended, Meter, Side as End};
use exchange::Heard;
use socket2::SockRef;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A caller that promised to say who it is and does not has other things in mind.
const PATIENCE: Duration = Duration::from_secs(1);

/// Serves `stream` until both directions have ended. `early` is the upstream if it was needed
/// already.
pub async fn serve(
    stream: Stream,
    info: &ConnInfo,
    proxy: &TcpProxy,
    worker: &Worker,
    early: Option<Box<Connected>>,
) {
    let books = Books {
        info,
        proxy,
        worker,
        start: SystemTime::now(),
    };
    let stats = worker.report.tcp_proxy(&proxy.stat_prefix);
    stats.cx_total.increment();
    let connected = match early {
        Some(connected) => Ok(*connected),
        // Boxed: a connection that has been made needs no room for making it.
        None => Box::pin(connect(proxy, info, worker)).await,
    };
    match connected {
        Ok(connected) => books.carry(stream, connected, &stats).await,
        Err(failed) => {
            // The client must not take a connection that leads nowhere for an empty answer; a socket
            // that cannot be set so is closed all the same.
            let _ = SockRef::from(stream.socket()).set_linger(Some(Duration::ZERO));
            books.fail(&failed, &stats);
        }
    }
}

/// What is counted and logged of one connection.
struct Books<'a> {
    info: &'a ConnInfo,
    proxy: &'a TcpProxy,
    worker: &'a Worker,
    start: SystemTime,
}

impl Books<'_> {
    async fn carry(&self, stream: Stream, connected: Connected, stats: &TcpStats) {
        let (client, caller) = self.meet(stream).await;
        let cluster = &connected.upstream.config;
        let series = self.series(Some(&connected), (cluster, caller.as_ref()), Flags::NONE);
        let upstream = &connected.upstream.stats;
        series.opened.increment();
        upstream.cx_active.increment();
        let ends = &connected.dialled.ends;
        let meter = Meter::new(&series, upstream, stats);
        let idle = self.proxy.idle_timeout;
        let buffers = &self.worker.http.buffers;
        let server = self.introduce(connected.dialled.stream, connected.dialled.alpn.as_deref());
        let copied = copy::both(client, server.await, idle, buffers, &meter);
        let ended = tokio::select! {
            ended = copied => ended,
            () = self.info.drain.stopped() => Ended::Stopped,
        };
        upstream.cx_active.decrement();
        series.closed.increment();
        if ended == Ended::Idle {
            stats.idle_timeout.increment();
        }
        let record = UpstreamRecord {
            cluster: &cluster.name,
            host: Some(connected.flight.host().address()),
            local: ends.local,
            peer: ends.peer.as_ref(),
            failure: "",
        };
        self.log(flags(ended), Some(record), (meter.received(), meter.sent()));
    }

    /// Exchanges names with the caller, if that was agreed on.
    async fn meet(&self, stream: Stream) -> (End, Option<Arc<Workload>>) {
        let mut end = End::from(stream);
        if !exchange::is_agreed(self.info.alpn.as_deref()) {
            return (end, None);
        }
        let report = &self.worker.report;
        // A caller that is gone is found out by reading.
        let _ = exchange::tell(&end.stream, report.frame()).await;
        match exchange::hear_within(&end.stream, PATIENCE).await {
            Ok(Heard::Frame(frame)) => (end, Some(report.peer_of_frame(&frame))),
            Ok(Heard::Application(bytes)) => {
                end.begins = Begins::With(bytes);
                (end, None)
            }
            Err(_) => (end, None),
        }
    }

    /// Tells the callee who calls, if that was agreed on; what it says of itself comes with its first bytes.
    async fn introduce(&self, stream: Stream, alpn: Option<&str>) -> End {
        let mut end = End::from(stream);
        if exchange::is_agreed(alpn) {
            let _ = exchange::tell(&end.stream, self.worker.report.frame()).await;
            end.begins = Begins::WithFrame;
        }
        end
    }

    fn fail(&self, failed: &Failed, stats: &TcpStats) {
        match &failed.upstream {
            Some(upstream) => {
                let series = self.series(None, (&upstream.config, None), failed.flags);
                series.opened.increment();
                series.closed.increment();
            }
            None => stats.no_route.increment(),
        }
        let record = failed.upstream.as_ref().map(|upstream| UpstreamRecord {
            cluster: &upstream.config.name,
            host: failed.host,
            local: None,
            peer: None,
            failure: &failed.reason,
        });
        self.log(failed.flags, record, (0, 0));
    }

    fn series(
        &self,
        upstream: Option<&Connected>,
        (cluster, caller): (&Arc<Cluster>, Option<&Arc<Workload>>),
        flags: Flags,
    ) -> Arc<TcpSeries> {
        let report = &self.worker.report;
        let outbound = self.info.direction() == Direction::Outbound;
        let theirs = upstream.and_then(|connected| connected.dialled.ends.peer.as_ref());
        let principal = if outbound {
            theirs
        } else {
            self.info.peer.as_ref()
        };
        let principal = principal.and_then(|peer| peer.uri.as_ref());
        let host = upstream
            .filter(|_| outbound)
            .map(|connected| connected.flight.host());
        report.tcp(&Labels {
            side: if outbound {
                Side::Source
            } else {
                Side::Destination
            },
            cluster: Some(cluster),
            peer: host.and_then(|host| host.workload()).or(caller),
            principal,
            protocol: Protocol::Tcp,
            code: 0,
            grpc_status: None,
            flags,
            mutual_tls: principal.is_some(),
        })
    }

    fn log(&self, flags: Flags, upstream: Option<UpstreamRecord<'_>>, bytes: (u64, u64)) {
        if self.proxy.access_log.is_empty() {
            return;
        }
        let record = Record {
            upstream,
            bytes_received: bytes.0,
            bytes_sent: bytes.1,
            ..Record::of_connection(self.info, self.start, flags)
        };
        self.worker.report.log(&self.proxy.access_log, &record);
    }
}

fn flags(ended: Ended) -> Flags {
    match ended {
        Ended::Closed | Ended::Stopped => Flags::NONE,
        Ended::Idle => Flag::StreamIdleTimeout.into(),
        Ended::ClientBroke => Flag::DownstreamConnectionTermination.into(),
        Ended::UpstreamBroke => Flag::UpstreamConnectionTermination.into(),
    }
}

/// Envoy's `source_ip` hash policy.
fn source_hash(remote: SocketAddr) -> u64 {
    xxhash_rust::xxh64::xxh64(remote.ip().to_string().as_bytes(), 0)
}
