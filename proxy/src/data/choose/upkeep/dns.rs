//! Names become endpoints.

use super::super::state::ClusterState;
use crate::config::{Cluster, Discovery, DnsTargets, Endpoint, Locality};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Names are never asked for more often, whatever their TTL says.
const SHORTEST: Duration = Duration::from_secs(1);

/// Addresses of one name, and how long they hold.
type Answer = (Vec<IpAddr>, Duration);

/// The system's resolver; `None` if `/etc/resolv.conf` cannot be read.
pub(super) fn system() -> Option<TokioResolver> {
    let resolver = TokioResolver::builder_tokio().and_then(|mut builder| {
        builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        builder.build()
    });
    resolver
        .inspect_err(
            |error| tracing::warn!(%error, "names cannot be resolved; check /etc/resolv.conf"),
        )
        .ok()
}

/// Resolves the names of `cluster` again and again.
pub(super) async fn keep(
    resolver: TokioResolver,
    cluster: Arc<Cluster>,
    shared: Arc<ClusterState>,
) {
    let (targets, one_only) = match &cluster.discovery {
        Discovery::StrictDns(targets) => (targets, false),
        Discovery::LogicalDns(targets) => (targets, true),
        Discovery::Static(_) | Discovery::Eds(_) | Discovery::OriginalDst => return,
    };
    loop {
        let mut answers = Vec::new();
        for (name, ..) in &targets.targets {
            answers.push(resolve(&resolver, name).await);
        }
        let wait = wait(targets, &answers);
        // An answer that fails keeps what was known: fail static.
        if let Some(answers) = answers.into_iter().collect::<Option<Vec<_>>>() {
            publish(localities(targets, &answers, one_only), &shared);
        }
        tokio::time::sleep(wait).await;
    }
}

async fn resolve(resolver: &TokioResolver, name: &str) -> Option<Answer> {
    if let Ok(address) = name.parse() {
        return Some((vec![address], Duration::MAX));
    }
    match resolver.lookup_ip(name).await {
        Ok(found) => {
            let ttl = found
                .valid_until()
                .saturating_duration_since(Instant::now());
            Some((found.iter().collect(), ttl))
        }
        Err(error) => {
            tracing::debug!(name, %error, "name not resolved");
            None
        }
    }
}

fn wait(targets: &DnsTargets, answers: &[Option<Answer>]) -> Duration {
    let ttl = answers.iter().flatten().map(|(_, ttl)| *ttl).min();
    let wait = ttl
        .filter(|_| targets.respect_ttl)
        .unwrap_or(targets.refresh);
    wait.clamp(SHORTEST, Duration::from_secs(3600))
}

fn publish(localities: Vec<Locality>, shared: &ClusterState) {
    let before = shared.resolved.load();
    if before.as_deref().is_none_or(|before| *before != localities) {
        shared.resolved.store(Some(Arc::new(localities)));
        shared.changed();
    }
}

/// One locality for each name, its addresses in order, so that equal answers are equal.
fn localities(targets: &DnsTargets, answers: &[Answer], one_only: bool) -> Vec<Locality> {
    let names = targets.targets.iter().zip(answers);
    let locality =
        |((_, port, weight, priority), (addresses, _)): (&(_, u16, u32, u32), &Answer)| {
            let mut addresses = addresses.clone();
            if one_only {
                addresses.truncate(1);
            }
            addresses.sort_unstable();
            addresses.dedup();
            Locality {
                name: Arc::default(),
                priority: *priority,
                weight: None,
                endpoints: addresses
                    .into_iter()
                    .map(|ip| endpoint(ip, *port, *weight))
                    .collect(),
            }
        };
    names.map(locality).collect()
}

fn endpoint(ip: IpAddr, port: u16, weight: u32) -> Arc<Endpoint> {
    Arc::new(Endpoint {
        weight,
        ..Endpoint::at(SocketAddr::new(ip, port))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logical_name_is_one_address_and_a_strict_one_all_of_them() {
        let targets = DnsTargets {
            targets: vec![("a".into(), 80, 1, 0)],
            refresh: Duration::from_secs(5),
            respect_ttl: true,
        };
        let ips = ["10.0.0.2", "10.0.0.1", "10.0.0.2"].map(|ip| ip.parse().unwrap());
        let answers = [(ips.to_vec(), Duration::from_secs(30))];
        let found = |one_only| {
            let localities = localities(&targets, &answers, one_only);
            localities[0]
                .endpoints
                .iter()
                .map(|e| e.address.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(found(false), ["10.0.0.1:80", "10.0.0.2:80"]);
        assert_eq!(found(true), ["10.0.0.2:80"]);
        assert_eq!(wait(&targets, &answers.map(Some)), Duration::from_secs(30));
        assert_eq!(wait(&targets, &[None]), Duration::from_secs(5));
    }
}
