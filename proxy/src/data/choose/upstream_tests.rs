use super::*;
use crate::config::{DnsTargets, EndpointHealth, LoadBalancing, LookupFamily};
use crate::data::test_conn;
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn locality(priority: u32, weight: Option<u32>, addresses: &[&str]) -> Locality {
    let endpoints = addresses
        .iter()
        .map(|a| Arc::new(test_conn::endpoint(a)))
        .collect();
    Locality {
        name: "".into(),
        priority,
        weight,
        endpoints,
    }
}

fn cluster(localities: Vec<Locality>) -> Arc<Cluster> {
    Arc::new(Cluster {
        discovery: Discovery::Eds(Arc::new(localities)),
        lb: LoadBalancing::RoundRobin { slow_start: None },
        panic_threshold: 0.0,
        ..test_conn::cluster("a")
    })
}

fn upstream(cluster: &Arc<Cluster>) -> Upstream {
    Upstream::new(Arc::clone(cluster), Arc::default(), Arc::default())
}

fn chosen(upstream: &Upstream, rounds: usize) -> HashSet<String> {
    let pick = Pick::default();
    (0..rounds)
        .map(|_| upstream.choose(&pick).unwrap().address().to_string())
        .collect()
}

#[test]
fn a_cluster_without_endpoints_says_so() {
    let found = upstream(&cluster(vec![]))
        .choose(&Pick::default())
        .map(|host| host.address());
    assert_eq!(found, Err(NoHost::Empty));
}

#[test]
fn a_draining_or_failed_host_gets_nothing_new() {
    let mut localities = vec![locality(
        0,
        None,
        &["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"],
    )];
    let endpoints = &mut localities[0].endpoints;
    Arc::get_mut(&mut endpoints[0]).unwrap().health = EndpointHealth::Draining;
    let upstream = upstream(&cluster(localities));
    assert_eq!(chosen(&upstream, 20).len(), 2);

    let hosts = upstream.hosts();
    let second = hosts
        .iter()
        .find(|host| host.address().to_string() == "10.0.0.2:1")
        .unwrap();
    second.state.failed_checks.store(true, Ordering::Relaxed);
    upstream.shared.changed();
    assert_eq!(
        chosen(&upstream, 20),
        HashSet::from(["10.0.0.3:1".to_owned()])
    );

    let third = hosts
        .iter()
        .find(|host| host.address().to_string() == "10.0.0.3:1")
        .unwrap();
    third.state.ejected.store(true, Ordering::Relaxed);
    upstream.shared.changed();
    let found = upstream.choose(&Pick::default()).map(|host| host.address());
    assert_eq!(found, Err(NoHost::Unhealthy));
}

#[test]
fn a_lower_priority_waits_until_it_is_needed() {
    let localities = vec![
        locality(0, None, &["10.0.0.1:1"]),
        locality(1, None, &["10.0.0.2:1"]),
    ];
    let upstream = upstream(&cluster(localities));
    assert_eq!(
        chosen(&upstream, 50),
        HashSet::from(["10.0.0.1:1".to_owned()])
    );
    let first = upstream.choose(&Pick::default()).unwrap();
    first.state.ejected.store(true, Ordering::Relaxed);
    upstream.shared.changed();
    assert_eq!(
        chosen(&upstream, 50),
        HashSet::from(["10.0.0.2:1".to_owned()])
    );
}

#[test]
fn localities_share_by_weight() {
    let localities = vec![
        locality(0, Some(0), &["10.0.0.1:1"]),
        locality(0, Some(1), &["10.0.0.2:1"]),
    ];
    let upstream = upstream(&cluster(localities));
    assert_eq!(
        chosen(&upstream, 50),
        HashSet::from(["10.0.0.2:1".to_owned()])
    );
}

#[test]
fn a_host_that_was_tried_is_avoided_while_there_is_another() {
    let upstream = upstream(&cluster(vec![locality(
        0,
        None,
        &["10.0.0.1:1", "10.0.0.2:1"],
    )]));
    let [one, two] = ["10.0.0.1:1", "10.0.0.2:1"].map(|text| text.parse().unwrap());
    let chosen = |tried: &[SocketAddr]| {
        let pick = Pick {
            tried,
            ..Pick::default()
        };
        upstream.choose(&pick).map(|host| host.address())
    };
    assert!((0..20).all(|_| chosen(&[one]) == Ok(two)));
    assert!(chosen(&[one, two]).is_ok());
}

#[test]
fn a_retry_leaves_the_priorities_that_were_tried() {
    let upstream = upstream(&cluster(vec![
        locality(0, None, &["10.0.0.1:1", "10.0.0.2:1"]),
        locality(1, None, &["10.0.1.1:1"]),
    ]));
    let [one, two, far] = ["10.0.0.1:1", "10.0.0.2:1", "10.0.1.1:1"].map(|at| at.parse().unwrap());
    let chosen = |tried: &[SocketAddr]| {
        let pick = Pick {
            tried,
            leave_priorities_after: Some(2),
            ..Pick::default()
        };
        upstream.choose(&pick).map(|host| host.address())
    };
    assert_eq!(chosen(&[one]), Ok(two));
    assert_eq!(chosen(&[one, two]), Ok(far));
    assert!(chosen(&[one, two, far, far]).is_ok()); // all were tried
}

#[test]
fn hosts_outlive_changes_that_do_not_concern_their_connections() {
    let before = cluster(vec![locality(0, None, &["10.0.0.1:1", "10.0.0.2:1"])]);
    let first = upstream(&before);
    let old = first.choose(&Pick {
        tried: &["10.0.0.2:1".parse().unwrap()],
        ..Pick::default()
    });
    let old = old.unwrap();

    let fewer = cluster(vec![locality(0, None, &["10.0.0.1:1"])]);
    let second = first.changed(fewer);
    assert!(Rc::ptr_eq(&second.choose(&Pick::default()).unwrap(), &old));

    let other_timeout = Cluster {
        connect_timeout: Duration::from_secs(9),
        ..(*before).clone()
    };
    let third = second.changed(Arc::new(other_timeout));
    assert!(!third.hosts().iter().any(|host| Rc::ptr_eq(host, &old)));
}

#[test]
fn an_original_destination_is_its_own_host() {
    let upstream = upstream(&Arc::new(Cluster {
        discovery: Discovery::OriginalDst,
        ..test_conn::cluster("PassthroughCluster")
    }));
    let address = "10.0.0.1:1".parse().unwrap();
    let pick = Pick {
        original_dst: Some(address),
        ..Pick::default()
    };
    let host = upstream.choose(&pick).unwrap();
    assert_eq!(host.address(), address);
    assert!(Rc::ptr_eq(&host, &upstream.choose(&pick).unwrap()));
    let found = upstream.choose(&Pick::default()).map(|host| host.address());
    assert_eq!(found, Err(NoHost::NoOriginalDestination));
}

#[test]
fn resolved_names_become_hosts() {
    let targets = DnsTargets {
        targets: vec![],
        refresh: Duration::ZERO,
        respect_ttl: false,
        family: LookupFamily::All,
    };
    let cluster = Cluster {
        discovery: Discovery::StrictDns(targets),
        ..test_conn::cluster("a")
    };
    let upstream = upstream(&Arc::new(cluster));
    assert!(upstream.choose(&Pick::default()).is_err());
    upstream
        .shared
        .resolved
        .store(Some(Arc::new(vec![locality(0, None, &["10.0.0.1:1"])])));
    upstream.shared.changed();
    assert_eq!(
        chosen(&upstream, 3),
        HashSet::from(["10.0.0.1:1".to_owned()])
    );
}
