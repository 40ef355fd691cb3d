//! How much of the traffic each priority gets. Pure.
//!
//! Source: Envoy `load_balancer_impl.cc`, `recalculatePerPriorityState`.

/// Envoy's overprovisioning factor in percent: a priority with 72 % of its hosts healthy still
/// takes all traffic.
const OVERPROVISIONING: u64 = 140;

/// Hosts of one priority, or of one locality of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) healthy: usize,
    pub(super) total: usize,
}

/// What one priority gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    /// Percent of all traffic.
    pub(super) percent: u64,
    /// Use unhealthy hosts too.
    pub(super) panic: bool,
}

impl Health {
    /// Percent of full capacity that is there, 100 at most.
    pub(super) fn availability(self) -> u64 {
        if self.total == 0 {
            return 0;
        }
        (OVERPROVISIONING * self.healthy as u64 / self.total as u64).min(100)
    }

    #[expect(clippy::cast_precision_loss, reason = "hosts are far fewer than 2^52")]
    fn below(self, threshold: f64) -> bool {
        self.total == 0 || 100.0 * self.healthy as f64 / (self.total as f64) < threshold
    }
}

/// Shares of priorities, highest first; they add up to 100 if there is any host to use.
pub(super) fn shares(priorities: &[Health], panic_threshold: f64) -> Vec<Share> {
    let available: u64 = priorities.iter().map(|health| health.availability()).sum();
    let in_panic = |health: &Health| available < 100 && health.below(panic_threshold);
    if priorities.iter().all(in_panic) {
        return total_panic(priorities);
    }
    let normal = available.clamp(1, 100);
    let mut left = 100;
    let mut shares: Vec<_> = priorities
        .iter()
        .map(|health| {
            let percent = (health.availability() * 100 / normal).min(left);
            left -= percent;
            Share {
                percent,
                panic: in_panic(health),
            }
        })
        .collect();
    // What rounding left over goes to the first that takes traffic at all.
    if let Some(first) = shares.iter_mut().find(|share| share.percent > 0) {
        first.percent += left;
    }
    shares
}

/// Every host is as good as any other: by their number.
fn total_panic(priorities: &[Health]) -> Vec<Share> {
    let hosts = priorities
        .iter()
        .map(|health| health.total as u64)
        .sum::<u64>()
        .max(1);
    let percent = |health: &Health| (health.total as u64 * 100).div_ceil(hosts);
    priorities
        .iter()
        .map(|health| Share {
            percent: percent(health),
            panic: true,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn traffic_moves_to_lower_priorities_as_hosts_fail() {
        // healthy/total of P0 and P1, threshold, percent of P0 and P1, panic of P0 and P1.
        // The first five rows are the table of Envoy's documentation (priority levels).
        let table = [
            ([(100, 100), (100, 100)], 50.0, [100, 0],  [false, false]),
            ([(72, 100),  (72, 100)],  50.0, [100, 0],  [false, false]),
            ([(71, 100),  (71, 100)],  50.0, [99, 1],   [false, false]),
            ([(50, 100),  (50, 100)],  50.0, [70, 30],  [false, false]),
            ([(25, 100),  (100, 100)], 50.0, [35, 65],  [false, false]),
            ([(25, 100),  (25, 100)],  50.0, [50, 50],  [true, true]),
            ([(25, 100),  (25, 100)],  0.0,  [50, 50],  [false, false]),
            ([(0, 4),     (0, 4)],     50.0, [50, 50],  [true, true]),
            ([(0, 4),     (0, 4)],     0.0,  [0, 0],    [false, false]), // Istio's default: no host
            ([(0, 0),     (2, 2)],     0.0,  [0, 100],  [false, false]),
        ];
        for (hosts, threshold, percent, panic) in table {
            let health = hosts.map(|(healthy, total)| Health { healthy, total });
            let found = shares(&health, threshold);
            let expected = [0, 1].map(|at| Share { percent: percent[at], panic: panic[at] });
            assert_eq!(found, expected, "{hosts:?} {threshold}");
        }
    }
}
