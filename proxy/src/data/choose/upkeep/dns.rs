//! Names become endpoints.

use super::super::state::ClusterState;
use crate::config::{Cluster, Discovery, DnsTarget, DnsTargets, Endpoint, Locality, LookupFamily};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Names are never asked for more often, whatever their TTL says.
const SHORTEST: Duration = Duration::from_secs(1);
/// After a failure they are asked for at least so often.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

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
    let mut known = vec![None; targets.targets.len()];
    loop {
        let mut answers = Vec::new();
        for target in &targets.targets {
            answers.push(resolve(&resolver, &target.name, targets.family).await);
        }
        let wait = wait(targets, &answers);
        learn(&mut known, answers);
        if known.iter().any(Option::is_some) {
            publish(localities(targets, &known, one_only), &shared);
        }
        shared.asked();
        tokio::time::sleep(wait).await;
    }
}

/// A name without an answer keeps the addresses that it had: fail static.
fn learn(known: &mut [Option<Vec<IpAddr>>], answers: Vec<Option<Answer>>) {
    for (known, answer) in known.iter_mut().zip(answers) {
        if let Some((addresses, _)) = answer {
            *known = Some(addresses);
        }
    }
}

async fn resolve(resolver: &TokioResolver, name: &str, family: LookupFamily) -> Option<Answer> {
    if let Ok(address) = name.parse() {
        return Some((vec![address], Duration::MAX));
    }
    match resolver.lookup_ip(name).await {
        Ok(found) => {
            let ttl = found
                .valid_until()
                .saturating_duration_since(Instant::now());
            let addresses = of_family(found.iter().collect(), family);
            (!addresses.is_empty()).then_some((addresses, ttl))
        }
        Err(error) => {
            tracing::debug!(name, %error, "name not resolved");
            None
        }
    }
}

fn of_family(mut addresses: Vec<IpAddr>, family: LookupFamily) -> Vec<IpAddr> {
    let any_v4 = addresses.iter().any(IpAddr::is_ipv4);
    match family {
        LookupFamily::All => {}
        LookupFamily::V4Preferred if !any_v4 => {}
        LookupFamily::V4 | LookupFamily::V4Preferred => addresses.retain(IpAddr::is_ipv4),
        LookupFamily::V6 => addresses.retain(IpAddr::is_ipv6),
    }
    addresses
}

fn wait(targets: &DnsTargets, answers: &[Option<Answer>]) -> Duration {
    let ttl = answers.iter().flatten().map(|(_, ttl)| *ttl).min();
    let wait = ttl
        .filter(|_| targets.respect_ttl)
        .unwrap_or(targets.refresh);
    let wait = match answers.iter().all(Option::is_some) {
        true => wait,
        false => wait.min(targets.refresh).min(AFTER_FAILURE),
    };
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
fn localities(
    targets: &DnsTargets,
    known: &[Option<Vec<IpAddr>>],
    one_only: bool,
) -> Vec<Locality> {
    let locality = |(target, addresses): (&DnsTarget, &Option<Vec<IpAddr>>)| {
        let mut addresses = addresses.clone()?;
        if one_only {
            addresses.truncate(1);
        }
        addresses.sort_unstable();
        addresses.dedup();
        let endpoint = |ip| {
            Arc::new(Endpoint {
                address: SocketAddr::new(ip, target.like.address.port()),
                ..target.like.clone()
            })
        };
        Some(Locality {
            name: Arc::clone(&target.locality),
            priority: target.priority,
            weight: None,
            endpoints: addresses.into_iter().map(endpoint).collect(),
        })
    };
    let names = targets.targets.iter().zip(known);
    names.filter_map(locality).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(names: &[&str]) -> DnsTargets {
        let target = |name: &&str| DnsTarget {
            name: Arc::from(*name),
            locality: "r1/z1".into(),
            priority: 0,
            like: Endpoint {
                workload: Some("vm;shop;vm;;".into()),
                ..Endpoint::at("0.0.0.0:80".parse().unwrap())
            },
        };
        DnsTargets {
            targets: names.iter().map(target).collect(),
            refresh: Duration::from_secs(60),
            respect_ttl: true,
            family: LookupFamily::All,
        }
    }

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn found(localities: &[Locality]) -> Vec<String> {
        let endpoints = localities.iter().flat_map(|each| &each.endpoints);
        endpoints.map(|each| each.address.to_string()).collect()
    }

    #[test]
    fn a_logical_name_is_one_address_and_a_strict_one_all_of_them() {
        let targets = targets(&["a"]);
        let known = [Some(ips(&["10.0.0.2", "10.0.0.1", "10.0.0.2"]))];
        let strict = localities(&targets, &known, false);
        assert_eq!(found(&strict), ["10.0.0.1:80", "10.0.0.2:80"]);
        assert_eq!(found(&localities(&targets, &known, true)), ["10.0.0.2:80"]);
        let first = &strict[0].endpoints[0];
        assert_eq!(first.workload.as_deref(), Some("vm;shop;vm;;"));
        assert_eq!(&*strict[0].name, "r1/z1");
    }

    #[test]
    fn a_name_that_fails_keeps_its_addresses_and_holds_up_no_other() {
        let targets = targets(&["a", "b"]);
        let answer = |text| Some((ips(&[text]), Duration::from_secs(30)));
        let mut known = vec![None, None];
        learn(&mut known, vec![answer("10.0.0.1"), None]);
        assert_eq!(found(&localities(&targets, &known, false)), ["10.0.0.1:80"]);
        learn(&mut known, vec![None, answer("10.0.0.2")]);
        let both = localities(&targets, &known, false);
        assert_eq!(found(&both), ["10.0.0.1:80", "10.0.0.2:80"]);
    }

    #[test]
    fn names_are_asked_for_by_their_ttl_and_soon_after_a_failure() {
        let targets = targets(&["a", "b"]);
        let answer = |seconds| Some((Vec::new(), Duration::from_secs(seconds)));
        let wait = |answers: [Option<Answer>; 2]| wait(&targets, &answers).as_secs();
        assert_eq!(wait([answer(30), answer(90)]), 30);
        assert_eq!(wait([answer(30), None]), 5);
        assert_eq!(wait([answer(0), answer(9)]), 1);
    }

    #[test]
    #[rustfmt::skip]
    fn only_addresses_of_the_wanted_family_count() {
        let both = ["10.0.0.1", "fd00::1"];
        let table = [
            (LookupFamily::All,         &both[..],  &both[..]),
            (LookupFamily::V4,          &both[..],  &["10.0.0.1"]),
            (LookupFamily::V6,          &both[..],  &["fd00::1"]),
            (LookupFamily::V4Preferred, &both[..],  &["10.0.0.1"]),
            (LookupFamily::V4Preferred, &["fd00::1"], &["fd00::1"]),
            (LookupFamily::V4,          &["fd00::1"], &[]),
        ];
        for (family, answer, expected) in table {
            assert_eq!(of_family(ips(answer), family), ips(expected), "{family:?} {answer:?}");
        }
    }
}
