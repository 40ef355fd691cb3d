//! Outlier detection: hosts that answer with errors are left alone for a while.
//!
//! Source: Envoy `outlier_detection_impl.cc`.

use super::host::Outcome;
use super::state::{ClusterState, HostState};
use crate::config::Outlier;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// Counts `outcome` and ejects the host when a threshold is reached.
pub(super) fn report(
    settings: &Outlier,
    cluster: &ClusterState,
    host: &HostState,
    outcome: Outcome,
) {
    if exceeded(settings, host, outcome) && may_eject(settings, cluster) {
        eject(cluster, host);
    }
}

/// Ends ejections whose time has come, and forgives hosts that have behaved. Called once for each
/// `interval`.
pub(super) fn sweep(settings: &Outlier, cluster: &ClusterState) {
    for (_, host) in cluster.hosts() {
        if !host.ejected.load(Relaxed) {
            let _ = host
                .ejections
                .fetch_update(Relaxed, Relaxed, |count| count.checked_sub(1));
            continue;
        }
        let since = Duration::from_millis(host.ejected_at_ms.load(Relaxed));
        if host.added.elapsed().saturating_sub(since) >= ejection_time(settings, &host) {
            host.ejected.store(false, Relaxed);
            cluster.changed();
        }
    }
}

/// Counts, and says whether a row has become too long.
fn exceeded(settings: &Outlier, host: &HostState, outcome: Outcome) -> bool {
    let local = matches!(
        outcome,
        Outcome::ConnectFailed | Outcome::Reset | Outcome::Timeout
    );
    if settings.split_local {
        if local {
            return longer(&host.consecutive_local, settings.consecutive_local);
        }
        host.consecutive_local.store(0, Relaxed);
    }
    // Without a split a failure counts as the answer that the client gets.
    let status = match outcome {
        Outcome::Status(status) => status,
        Outcome::Connected => 200,
        Outcome::Timeout => 504,
        Outcome::ConnectFailed | Outcome::Reset => 503,
    };
    let gateway = if matches!(status, 502..=504) {
        longer(&host.consecutive_gateway, settings.consecutive_gateway)
    } else {
        host.consecutive_gateway.store(0, Relaxed);
        false
    };
    let server = if status >= 500 {
        longer(&host.consecutive_5xx, settings.consecutive_5xx)
    } else {
        host.consecutive_5xx.store(0, Relaxed);
        false
    };
    gateway || server
}

/// One more in a row; a row that has reached its limit begins again.
fn longer(row: &AtomicU32, limit: Option<u32>) -> bool {
    let length = row.fetch_add(1, Relaxed) + 1;
    let reached = limit.is_some_and(|limit| length >= limit);
    if reached {
        row.store(0, Relaxed);
    }
    reached
}

/// At least one host may always be ejected, as Envoy compares before it counts.
fn may_eject(settings: &Outlier, cluster: &ClusterState) -> bool {
    let hosts = cluster.hosts();
    let ejected = hosts
        .iter()
        .filter(|(_, host)| host.ejected.load(Relaxed))
        .count();
    ejected * 100 < hosts.len() * settings.max_ejection_percent as usize
}

fn eject(cluster: &ClusterState, host: &HostState) {
    if host.ejected.swap(true, Relaxed) {
        return;
    }
    let now = u64::try_from(host.added.elapsed().as_millis()).unwrap_or(u64::MAX);
    host.ejected_at_ms.store(now, Relaxed);
    host.ejections.fetch_add(1, Relaxed);
    cluster.changed();
}

fn ejection_time(settings: &Outlier, host: &HostState) -> Duration {
    let time = settings
        .base_ejection
        .saturating_mul(host.ejections.load(Relaxed));
    time.min(settings.max_ejection.max(settings.base_ejection))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Outlier {
        Outlier {
            consecutive_5xx: Some(3),
            consecutive_gateway: None,
            consecutive_local: Some(2),
            split_local: false,
            interval: Duration::from_secs(10),
            base_ejection: Duration::from_secs(30),
            max_ejection: Duration::from_secs(300),
            max_ejection_percent: 10,
        }
    }

    fn cluster(hosts: u8) -> ClusterState {
        let cluster = ClusterState::default();
        for last in 0..hosts {
            cluster.host(([10, 0, 0, last], 80).into());
        }
        cluster
    }

    #[test]
    #[rustfmt::skip]
    fn a_row_of_errors_ejects() {
        use Outcome::{ConnectFailed, Connected, Reset, Status, Timeout};
        let split = Outlier { split_local: true, ..settings() };
        let gateway = Outlier { consecutive_5xx: None, consecutive_gateway: Some(2), ..settings() };
        let table: [(&Outlier, &[Outcome], bool); 8] = [
            (&settings(), &[Status(500), Status(503), Status(599)],              true),
            (&settings(), &[Status(500), Status(500), Status(200), Status(500)], false), // in a row
            (&settings(), &[ConnectFailed, Reset, Timeout],                      true),
            (&settings(), &[Status(500), Status(500), Connected, Status(500)],   false),
            (&split,      &[ConnectFailed, Reset],                               true),
            (&split,      &[Status(500), ConnectFailed, Status(500)],            false), // counted apart
            (&gateway,    &[Status(502), Timeout],                               true),
            (&gateway,    &[Status(500), Status(502), Status(500), Status(502)], false),
        ];
        for (settings, outcomes, ejected) in table {
            let cluster = cluster(1);
            let (_, host) = &cluster.hosts()[0];
            outcomes.iter().for_each(|outcome| report(settings, &cluster, host, *outcome));
            assert_eq!(host.ejected.load(Relaxed), ejected, "{outcomes:?}");
            assert_eq!(cluster.version(), u64::from(ejected), "workers look again");
        }
    }

    #[test]
    fn only_a_tenth_is_ejected_but_always_one() {
        let cluster = cluster(20);
        for (_, host) in cluster.hosts() {
            (0..3).for_each(|_| report(&settings(), &cluster, &host, Outcome::Status(500)));
        }
        let ejected = cluster
            .hosts()
            .iter()
            .filter(|(_, h)| h.ejected.load(Relaxed))
            .count();
        assert_eq!(ejected, 2);
    }

    #[test]
    fn each_ejection_is_longer_up_to_the_longest() {
        let host = &cluster(1).hosts()[0].1;
        for (ejections, seconds) in [(1, 30), (2, 60), (100, 300)] {
            host.ejections.store(ejections, Relaxed);
            assert_eq!(
                ejection_time(&settings(), host),
                Duration::from_secs(seconds)
            );
        }
    }

    #[test]
    fn a_sweep_ends_an_ejection_when_its_time_has_come() {
        let cluster = cluster(1);
        let (_, host) = &cluster.hosts()[0];
        eject(&cluster, host);
        sweep(&settings(), &cluster);
        assert!(host.ejected.load(Relaxed));
        let over = Outlier {
            base_ejection: Duration::ZERO,
            max_ejection: Duration::ZERO,
            ..settings()
        };
        sweep(&over, &cluster);
        assert!(!host.ejected.load(Relaxed));
    }
}
