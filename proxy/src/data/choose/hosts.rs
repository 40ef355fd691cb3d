//! The hosts of a cluster in the order of priority, and the choice among them.

use super::balance::{Group, Member, weighted};
use super::host::Host;
use super::priority::{Health, Share, shares};
use super::state::ClusterState;
use super::upstream::{NoHost, Pick};
use crate::config::{Cluster, Endpoint, EndpointHealth, Locality};
use rand::Rng;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

/// Hosts by address, as they were when the set was made.
pub(super) type Known = HashMap<SocketAddr, Rc<Host>>;

/// One state of a cluster's hosts: made anew when endpoints or health change.
#[derive(Debug, Default)]
pub(super) struct HostSet {
    pub(super) known: Known,
    priorities: Vec<Priority>,
    health: Vec<Health>,
    shares: Vec<Share>,
}

/// Hosts of one priority.
#[derive(Debug, Default)]
struct Priority {
    /// One for each locality when localities are weighted, else one for all.
    groups: Vec<Groups>,
    weights: Vec<f64>,
}

/// Hosts of one locality.
#[derive(Debug)]
struct Groups {
    healthy: Group,
    all: Group,
}

impl HostSet {
    /// The hosts of `localities`; those of `before` that did not change keep their connections.
    pub(super) fn new(
        localities: &[Locality],
        before: &Known,
        cluster: &Arc<Cluster>,
        shared: &Arc<ClusterState>,
    ) -> Self {
        let mut known = Known::new();
        let mut by_priority: BTreeMap<u32, Vec<Weighted>> = BTreeMap::new();
        for locality in localities {
            let candidates = locality.endpoints.iter().map(|endpoint| {
                let host = host(endpoint, before, cluster, shared);
                known.insert(endpoint.address, Rc::clone(&host));
                Candidate::new(host, endpoint)
            });
            let entry = by_priority.entry(locality.priority).or_default();
            entry.push((locality.weight, candidates.collect()));
        }
        let (priorities, health): (Vec<_>, Vec<_>) =
            by_priority.into_values().map(Priority::new).unzip();
        Self {
            shares: shares(&health, cluster.panic_threshold),
            known,
            priorities,
            health,
        }
    }

    /// Chooses one, avoiding those that were tried.
    pub(super) fn choose(&self, pick: &Pick<'_>, cluster: &Cluster) -> Result<Rc<Host>, NoHost> {
        let chosen = match self.untried_shares(pick, cluster) {
            Some(shares) => self.priority(&shares),
            None => self.priority(&self.shares),
        };
        let (priority, panic) = chosen.ok_or_else(|| self.reason())?;
        let group = priority.group(panic).ok_or_else(|| self.reason())?;
        let tried = |host: &Rc<Host>| pick.tried.contains(&host.address());
        let first = group.next(cluster.lb, pick.hash);
        if !first.is_some_and(tried) {
            return first.cloned().ok_or_else(|| self.reason());
        }
        let mut draws = (0..pick.redraws).filter_map(|_| group.next(cluster.lb, pick.hash));
        let untried = draws
            .find(|host| !tried(host))
            .or_else(|| group.hosts().find(|host| !tried(host)));
        untried.or(first).cloned().ok_or_else(|| self.reason())
    }

    /// Shares without the priorities of the hosts that were tried up to the last full round; `None`
    /// if none is to be left, or none would remain.
    fn untried_shares(&self, pick: &Pick<'_>, cluster: &Cluster) -> Option<Vec<Share>> {
        let every = pick.leave_priorities_after? as usize;
        let rounds = pick.tried.len().checked_div(every)?;
        let tried = &pick.tried[..rounds * every];
        let holds = |priority: &Priority| {
            let mut hosts = priority.groups.iter().flat_map(|groups| groups.all.hosts());
            hosts.any(|host| tried.contains(&host.address()))
        };
        let all = self.priorities.iter().zip(&self.health);
        let left: Vec<_> = all
            .map(|(priority, health)| {
                if holds(priority) {
                    Health::default()
                } else {
                    *health
                }
            })
            .collect();
        let remains = left.iter().any(|health| health.total > 0);
        (rounds > 0 && remains).then(|| shares(&left, cluster.panic_threshold))
    }

    fn priority(&self, shares: &[Share]) -> Option<(&Priority, bool)> {
        let mut point = rand::rng().random_range(0..100);
        for (priority, share) in self.priorities.iter().zip(shares) {
            if point < share.percent {
                return Some((priority, share.panic));
            }
            point -= share.percent;
        }
        None
    }

    fn reason(&self) -> NoHost {
        if self.known.is_empty() {
            NoHost::Empty
        } else {
            NoHost::Unhealthy
        }
    }
}

/// The hosts of one locality and its weight.
type Weighted = (Option<u32>, Vec<Candidate>);

/// A host with what discovery says of it now.
struct Candidate {
    member: Member,
    healthy: bool,
}

impl Candidate {
    fn new(host: Rc<Host>, endpoint: &Endpoint) -> Self {
        let healthy = endpoint.health == EndpointHealth::Healthy && host.state.usable();
        Self {
            member: Member::new(host, endpoint.weight),
            healthy,
        }
    }
}

impl Priority {
    fn new(localities: Vec<Weighted>) -> (Self, Health) {
        let weighted = localities.iter().any(|(weight, _)| weight.is_some());
        let localities: Vec<_> = if weighted {
            localities
        } else {
            vec![(
                None,
                localities
                    .into_iter()
                    .flat_map(|(_, hosts)| hosts)
                    .collect(),
            )]
        };
        let mut priority = Self::default();
        let mut health = Health::default();
        for (weight, candidates) in localities {
            let (groups, own) = Groups::new(candidates);
            health.healthy += own.healthy;
            health.total += own.total;
            let weight = if weighted {
                weight.unwrap_or_default()
            } else {
                1
            };
            #[expect(clippy::cast_precision_loss, reason = "an availability is at most 100")]
            priority
                .weights
                .push(f64::from(weight) * own.availability() as f64);
            priority.groups.push(groups);
        }
        (priority, health)
    }

    fn group(&self, panic: bool) -> Option<&Group> {
        if panic {
            let full: Vec<_> = self
                .groups
                .iter()
                .filter(|groups| !groups.all.is_empty())
                .collect();
            let at = rand::rng().random_range(0..full.len().max(1));
            return full.get(at).map(|groups| &groups.all);
        }
        let groups = self.groups.get(weighted(&self.weights))?;
        Some(&groups.healthy).filter(|group| !group.is_empty())
    }
}

impl Groups {
    fn new(candidates: Vec<Candidate>) -> (Self, Health) {
        let healthy = candidates
            .iter()
            .filter(|c| c.healthy)
            .map(|c| c.member.clone());
        let healthy: Vec<_> = healthy.collect();
        let health = Health {
            healthy: healthy.len(),
            total: candidates.len(),
        };
        let all = candidates
            .into_iter()
            .map(|candidate| candidate.member)
            .collect();
        (
            Self {
                healthy: Group::new(healthy),
                all: Group::new(all),
            },
            health,
        )
    }
}

fn host(
    endpoint: &Arc<Endpoint>,
    before: &Known,
    cluster: &Arc<Cluster>,
    shared: &Arc<ClusterState>,
) -> Rc<Host> {
    let same = |host: &&Rc<Host>| {
        host.endpoint.transport_match == endpoint.transport_match
            && host.endpoint.workload == endpoint.workload
    };
    match before.get(&endpoint.address).filter(same) {
        Some(host) => Rc::clone(host),
        None => Rc::new(Host::new(Arc::clone(endpoint), cluster, shared)),
    }
}
