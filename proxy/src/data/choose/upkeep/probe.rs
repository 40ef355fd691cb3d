//! Active health checks: hosts are asked, not judged by their users. Source: Envoy `HealthCheck`.

use super::super::host::Host;
use super::super::state::ClusterState;
use crate::config::{Cluster, HealthCheck, HttpProbe};
use crate::data::dial::{self, Offer};
use crate::data::worker::Worker;
use futures::future::join_all;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Results in a row: positive are successes.
type Rows = HashMap<SocketAddr, i64>;

/// Probes every host of `cluster` again and again.
pub(super) async fn keep(
    worker: Rc<Worker>,
    cluster: Arc<Cluster>,
    check: HealthCheck,
    shared: Arc<ClusterState>,
) {
    let mut rows = Rows::new();
    loop {
        if let Some(upstream) = worker.upstreams.get(&cluster.name) {
            let hosts = upstream.hosts();
            let probes = hosts.iter().map(|host| async {
                let probe = probe(&worker, host, &cluster, &check);
                tokio::time::timeout(check.timeout, probe)
                    .await
                    .is_ok_and(|ok| ok.is_ok())
            });
            let results = join_all(probes).await;
            rows.retain(|address, _| hosts.iter().any(|host| host.address() == *address));
            for (host, healthy) in hosts.iter().zip(results) {
                settle(&mut rows, host, healthy, &check, &shared);
            }
        }
        tokio::time::sleep(check.interval).await;
    }
}

fn settle(rows: &mut Rows, host: &Host, healthy: bool, check: &HealthCheck, shared: &ClusterState) {
    let row = rows.entry(host.address()).or_default();
    let failed = verdict(row, healthy, check, host.state.failed_checks.load(Relaxed));
    if host.state.failed_checks.swap(failed, Relaxed) != failed {
        shared.changed();
    }
}

/// Whether the host counts as failed after one more result. The first result decides at once.
fn verdict(row: &mut i64, healthy: bool, check: &HealthCheck, failed: bool) -> bool {
    let first = *row == 0;
    *row = if healthy {
        (*row).max(0) + 1
    } else {
        (*row).min(0) - 1
    };
    if first {
        return !healthy;
    }
    if failed {
        *row < i64::from(check.healthy_threshold)
    } else {
        *row <= -i64::from(check.unhealthy_threshold)
    }
}

async fn probe(
    worker: &Worker,
    host: &Rc<Host>,
    cluster: &Cluster,
    check: &HealthCheck,
) -> io::Result<()> {
    let upstream = worker
        .upstreams
        .get(&cluster.name)
        .ok_or(io::ErrorKind::NotFound)?;
    let offer = if check.http.is_some() {
        Offer::Http1
    } else {
        Offer::Tcp
    };
    let dialled = dial::connect(worker, &upstream, host, offer, None).await;
    let mut stream = dialled.map_err(io::Error::other)?.stream;
    let Some(http) = &check.http else {
        return Ok(());
    };
    stream.write_all(request(http, cluster).as_bytes()).await?;
    stream.flush().await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    match &status {
        // "HTTP/1.1 200"; Envoy's default is exactly 200.
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            _,
            b' ',
            b'2',
            b'0',
            b'0',
        ] => Ok(()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn request(http: &HttpProbe, cluster: &Cluster) -> String {
    let host = http.host.as_ref().unwrap_or(&cluster.name);
    let path = &http.path;
    format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: weft/HC\r\nconnection: close\r\n\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn thresholds_count_results_in_a_row() {
        let check = HealthCheck {
            timeout: Duration::from_secs(1),
            interval: Duration::from_secs(1),
            unhealthy_threshold: 2,
            healthy_threshold: 3,
            http: None,
        };
        let (mut row, mut failed) = (0, false);
        let mut after = |healthy| {
            failed = verdict(&mut row, healthy, &check, failed);
            failed
        };
        let results = [true, false, true, false, false, true, true, true];
        let expected = [false, false, false, false, true, true, true, false];
        assert_eq!(results.map(&mut after), expected);
        let mut first = 0;
        assert!(
            verdict(&mut first, false, &check, false),
            "a host starts as its first probe says"
        );
    }
}
