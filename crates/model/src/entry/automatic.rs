//! Addresses for services that have none, so that connections to them can be told apart.
//!
//! They depend on the names of the services and on their age only: every replica of the control
//! plane gives the same ones, and a new service never moves an older one.

use crate::objects::Key;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Places in 240.240.0.0/16 whose last byte is neither 0 nor 255.
const PLACES: u64 = 256 * 254;

/// An address of each family for each of `oldest_first`, as far as there are places.
pub(super) fn allocate<'a>(
    oldest_first: impl Iterator<Item = &'a Key>,
) -> BTreeMap<Key, Vec<IpAddr>> {
    let mut taken: BTreeSet<u64> = BTreeSet::new();
    let mut given: BTreeMap<Key, Vec<IpAddr>> = BTreeMap::new();
    for key in oldest_first {
        if given.contains_key(key) {
            continue;
        }
        let first = hash(key) % PLACES;
        let free = (0..PLACES)
            .map(|step| (first + step) % PLACES)
            .find(|place| !taken.contains(place));
        let Some(place) = free else { break };
        taken.insert(place);
        given.insert(key.clone(), addresses(place));
    }
    given
}

/// FNV-1a of `namespace/name`: the same for every build.
fn hash(key: &Key) -> u64 {
    let bytes = key.namespace.bytes().chain([b'/']).chain(key.name.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The place in Istio's ranges, 240.240.0.0/16 and 2001:2::/48.
fn addresses(place: u64) -> Vec<IpAddr> {
    let high = u8::try_from(place / 254).unwrap_or_default();
    let low = u8::try_from(place % 254 + 1).unwrap_or_default();
    let last = u16::from_be_bytes([high, low]);
    vec![
        Ipv4Addr::new(240, 240, high, low).into(),
        Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0xf0f0, last).into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(count: usize) -> Vec<Key> {
        let name = |number| format!("host-{number}.example.com");
        (0..count)
            .map(|number| Key::new("shop", name(number)))
            .collect()
    }

    #[test]
    fn every_service_has_addresses_of_its_own_in_istios_ranges() {
        let keys = keys(5000);
        let given = allocate(keys.iter());
        let all: BTreeSet<_> = given.values().flatten().collect();
        assert_eq!(all.len(), 10_000);
        for address in all {
            let inside = match address {
                IpAddr::V4(ip) => {
                    ip.octets()[..2] == [240, 240] && ![0, 255].contains(&ip.octets()[3])
                }
                IpAddr::V6(ip) => ip.segments()[..3] == [0x2001, 2, 0],
            };
            assert!(inside, "{address}");
        }
    }

    #[test]
    fn a_new_service_moves_no_older_one() {
        let keys = keys(5000);
        let before = allocate(keys[..4000].iter());
        let after = allocate(keys.iter());
        assert!(before.iter().all(|(key, given)| after[key] == *given));
    }

    #[test]
    fn more_services_than_places_leave_the_youngest_without() {
        let keys = keys(70_000);
        let given = allocate(keys.iter());
        assert_eq!(given.len(), 65_024);
        assert!(given.contains_key(&keys[65_023]) && !given.contains_key(&keys[65_024]));
    }
}
