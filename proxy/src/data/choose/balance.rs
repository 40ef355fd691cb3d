//! One group of equal hosts, and which of them is next.

use super::host::Host;
use super::table::Table;
use crate::config::{LoadBalancing, SlowStart};
use rand::Rng;
use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::time::Instant;

/// A host with what discovery says of its share.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) host: Rc<Host>,
    pub(super) weight: u32,
    /// Smooth round robin's credit.
    credit: Rc<Cell<f64>>,
}

impl Member {
    pub(super) fn new(host: Rc<Host>, weight: u32) -> Self {
        Self {
            host,
            weight: weight.max(1),
            credit: Rc::default(),
        }
    }
}

/// Hosts that may all be chosen.
#[derive(Debug)]
pub(super) struct Group {
    members: Vec<Member>,
    equal: bool,
    cursor: Cell<usize>,
    table: OnceCell<Table>,
}

impl Group {
    pub(super) fn new(members: Vec<Member>) -> Self {
        let equal = members
            .windows(2)
            .all(|pair| pair[0].weight == pair[1].weight);
        // Workers must not march in step.
        let start = if members.is_empty() {
            0
        } else {
            rand::rng().random_range(0..members.len())
        };
        Self {
            members,
            equal,
            cursor: Cell::new(start),
            table: OnceCell::new(),
        }
    }

    pub(super) fn hosts(&self) -> impl Iterator<Item = &Rc<Host>> {
        self.members.iter().map(|member| &member.host)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The next host; `None` only for an empty group.
    pub(super) fn next(&self, lb: LoadBalancing, hash: Option<u64>) -> Option<&Rc<Host>> {
        if self.members.is_empty() {
            return None;
        }
        let at = match lb {
            LoadBalancing::RoundRobin { slow_start } => self.round_robin(slow_start),
            LoadBalancing::LeastRequest | LoadBalancing::Provided => self.least_request(2, None),
            LoadBalancing::LeastRequestWith {
                choices,
                slow_start,
            } => self.least_request(choices, slow_start),
            LoadBalancing::Random => rand::rng().random_range(0..self.members.len()),
            LoadBalancing::RingHash { minimum_ring_size } => {
                self.consistent(hash, |members| Table::ring(members, minimum_ring_size))
            }
            LoadBalancing::Maglev { table_size } => {
                self.consistent(hash, |members| Table::maglev(members, table_size))
            }
        };
        Some(&self.members[at].host)
    }

    fn round_robin(&self, slow_start: Option<SlowStart>) -> usize {
        let weights = self.weights(slow_start);
        let Some(weights) = weights else {
            let at = self.cursor.get() % self.members.len();
            self.cursor.set(at + 1);
            return at;
        };
        self.smooth(&weights)
    }

    /// Smooth weighted round robin: everybody earns its weight, the richest pays for all.
    fn smooth(&self, weights: &[f64]) -> usize {
        let mut best = 0;
        for (at, (member, weight)) in self.members.iter().zip(weights).enumerate() {
            member.credit.set(member.credit.get() + weight);
            if member.credit.get() > self.members[best].credit.get() {
                best = at;
            }
        }
        let credit = &self.members[best].credit;
        credit.set(credit.get() - weights.iter().sum::<f64>());
        best
    }

    /// The least busy of `choices` random hosts; with weights, relative to them.
    fn least_request(&self, choices: u32, slow_start: Option<SlowStart>) -> usize {
        let weights = self.weights(slow_start);
        let draw = || match &weights {
            None => rand::rng().random_range(0..self.members.len()),
            Some(weights) => weighted(weights),
        };
        let busy = |at: &usize| {
            let weight = weights
                .as_ref()
                .map_or(1.0, |weights| weights[*at].max(f64::MIN_POSITIVE));
            f64::from(self.members[*at].host.active() + 1) / weight
        };
        let candidates = (0..choices.max(1)).map(|_| draw());
        candidates
            .min_by(|a, b| busy(a).total_cmp(&busy(b)))
            .unwrap_or_default()
    }

    /// Weights now, or `None` when all are equal.
    fn weights(&self, slow_start: Option<SlowStart>) -> Option<Vec<f64>> {
        let Some(settings) = slow_start else {
            let weights = || {
                self.members
                    .iter()
                    .map(|member| f64::from(member.weight))
                    .collect()
            };
            return (!self.equal).then(weights);
        };
        let now = Instant::now();
        let ramping =
            |member: &Member| now.duration_since(member.host.state.added) < settings.window;
        if self.equal && !self.members.iter().any(ramping) {
            return None;
        }
        let weight = |member: &Member| {
            let age = now.duration_since(member.host.state.added);
            f64::from(member.weight) * ramp(settings, age.as_secs_f64())
        };
        Some(self.members.iter().map(weight).collect())
    }

    fn consistent(
        &self,
        hash: Option<u64>,
        make: impl FnOnce(&[super::table::Member]) -> Table,
    ) -> usize {
        let table = self.table.get_or_init(|| {
            let members = self.members.iter().map(|m| (m.host.address(), m.weight));
            make(&members.collect::<Vec<_>>())
        });
        table.find(hash.unwrap_or_else(|| rand::rng().random()))
    }
}

/// Envoy's slow start factor: (age / window)^(1 / aggression), never below the least.
fn ramp(settings: SlowStart, age: f64) -> f64 {
    let window = settings.window.as_secs_f64();
    if age >= window {
        return 1.0;
    }
    let factor = (age.max(f64::MIN_POSITIVE) / window).powf(1.0 / settings.aggression.max(0.01));
    factor.max(settings.min_weight_percent / 100.0)
}

/// A random position, by weight.
pub(super) fn weighted(weights: &[f64]) -> usize {
    let total: f64 = weights.iter().sum();
    let mut point = rand::rng().random::<f64>() * total;
    let found = weights.iter().position(|weight| {
        point -= weight;
        point < 0.0
    });
    found.unwrap_or(weights.len().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::choose::state::ClusterState;
    use crate::data::test_conn;
    use std::sync::Arc;
    use std::time::Duration;

    fn group(weights: &[u32]) -> Group {
        let cluster = Arc::new(test_conn::cluster("a"));
        let shared = Arc::new(ClusterState::default());
        let host = |port: usize| {
            let endpoint = test_conn::endpoint(&format!("10.0.0.1:{}", port + 1));
            Rc::new(Host::new(Arc::new(endpoint), &cluster, &shared))
        };
        let members = weights
            .iter()
            .enumerate()
            .map(|(at, w)| Member::new(host(at), *w));
        Group::new(members.collect())
    }

    fn counts(group: &Group, lb: LoadBalancing, rounds: usize) -> Vec<usize> {
        let mut counts = vec![0; group.members.len()];
        for _ in 0..rounds {
            let port = group.next(lb, None).unwrap().address().port();
            counts[usize::from(port) - 1] += 1;
        }
        counts
    }

    const ROUND_ROBIN: LoadBalancing = LoadBalancing::RoundRobin { slow_start: None };

    #[test]
    fn round_robin_is_exact_by_weight() {
        assert_eq!(counts(&group(&[1, 1, 1]), ROUND_ROBIN, 30), [10, 10, 10]);
        assert_eq!(counts(&group(&[1, 2, 7]), ROUND_ROBIN, 100), [10, 20, 70]);
    }

    #[test]
    fn the_busier_of_two_is_not_chosen() {
        let group = group(&[1, 1]);
        let first = Rc::clone(&group.members[0].host);
        let _busy: Vec<_> = (0..5).map(|_| first.begin()).collect();
        let lb = LoadBalancing::LeastRequestWith {
            choices: 16,
            slow_start: None,
        };
        // 16 draws miss the idle one with probability 2^-16.
        let counts = counts(&group, lb, 100);
        assert!(counts[1] >= 99, "{counts:?}");
    }

    #[test]
    fn one_hash_finds_one_host() {
        let group = group(&[1; 5]);
        let lb = LoadBalancing::RingHash {
            minimum_ring_size: 1024,
        };
        let first = group.next(lb, Some(42)).unwrap().address();
        assert!((0..10).all(|_| group.next(lb, Some(42)).unwrap().address() == first));
    }

    #[test]
    fn a_new_host_starts_with_the_least_weight_and_ends_with_all_of_it() {
        let settings = SlowStart {
            window: Duration::from_secs(10),
            aggression: 1.0,
            min_weight_percent: 10.0,
        };
        let ramps = [0.0, 0.5, 5.0, 10.0].map(|age| ramp(settings, age));
        assert_eq!(ramps, [0.1, 0.1, 0.5, 1.0]);
    }
}
