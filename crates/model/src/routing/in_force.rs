//! A VirtualService while something that it leads to does not exist.
//!
//! Objects come and go one by one, in any order. So that none of the states in between costs a request, a route is in
//! force as far as its destinations are there: they take the share of the others. The condition of the object says so.

use super::unknown::Known;
use super::{Action, Destination, VirtualService, Weighted};
use crate::host::Host;

/// `service` with the destinations that exist.
pub(super) fn in_force(mut service: VirtualService, known: &Known) -> VirtualService {
    let own = own(&service, known).cloned();
    for route in &mut service.routes {
        if let Action::Forward(forward) = &mut route.action {
            settle(&mut forward.destinations, known, own.as_ref());
            forward.mirrors.retain(|(to, _)| known.has(to));
        }
    }
    for route in service.tls.iter_mut().chain(&mut service.tcp) {
        settle(&mut route.destinations, known, own.as_ref());
    }
    service
}

/// The service that `service` is about, if it is about one and that exists.
pub(super) fn own<'a>(service: &'a VirtualService, known: &Known) -> Option<&'a Host> {
    match service.hosts.as_slice() {
        [only] if known.services.contains_key(only) => Some(only),
        _ => None,
    }
}

/// Leaves those that exist; else all endpoints of the services that do; else the service that was called.
fn settle(destinations: &mut Vec<Weighted>, known: &Known, own: Option<&Host>) {
    if destinations.iter().any(|each| known.has(&each.destination)) {
        destinations.retain(|each| known.has(&each.destination));
        return;
    }
    let there = |each: &Weighted| known.services.contains_key(&each.destination.host);
    if destinations.iter().any(there) {
        destinations.retain(there);
        for each in destinations {
            each.destination.subset.clear();
        }
    } else if let Some(own) = own {
        *destinations = vec![whole(own)];
    }
}

fn whole(host: &Host) -> Weighted {
    Weighted {
        destination: Destination {
            host: host.clone(),
            subset: String::new(),
            port: None,
        },
        weight: 1,
        headers: super::HeaderChanges::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn host(name: &str) -> Host {
        Host::of_service(name, "shop", "cluster.local")
    }

    fn known() -> Known {
        let subsets = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Known {
            services: [
                (host("reviews"), subsets(&["v1", "v2"])),
                (host("ratings"), BTreeSet::new()),
            ]
            .into(),
            ..Known::default()
        }
    }

    fn share((name, subset, weight): (&str, &str, u32)) -> Weighted {
        let mut share = whole(&host(name));
        share.destination.subset = subset.to_owned();
        share.weight = weight;
        share
    }

    #[test]
    fn what_exists_takes_the_share_of_what_does_not() {
        let table = [
            (
                vec![("reviews", "v1", 90), ("reviews", "v2", 10)],
                vec![("reviews", "v1", 90), ("reviews", "v2", 10)],
            ),
            (
                vec![("reviews", "v1", 90), ("reviews", "v3", 10)],
                vec![("reviews", "v1", 90)],
            ),
            (
                vec![("reviews", "v3", 90), ("gone", "", 10)],
                vec![("reviews", "", 90)],
            ),
            (
                vec![("ratings", "", 1), ("gone", "v1", 1)],
                vec![("ratings", "", 1)],
            ),
            (vec![("gone", "v1", 7)], vec![("reviews", "", 1)]),
        ];
        let known = known();
        for (written, expected) in table {
            let mut found: Vec<_> = written.iter().copied().map(share).collect();
            settle(&mut found, &known, Some(&host("reviews")));
            let expected: Vec<_> = expected.into_iter().map(share).collect();
            assert_eq!(found, expected, "{written:?}");
        }
    }

    #[test]
    fn a_route_of_nothing_that_exists_stays_as_written() {
        let written = vec![share(("gone", "", 1))];
        let mut found = written.clone();
        settle(&mut found, &known(), None);
        assert_eq!(found, written);
    }
}
