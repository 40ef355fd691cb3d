//! Consistent hashing: the same key finds the same host while the hosts stay.
//!
//! Both tables hash as Envoy does (XXH64 of `address_index`), so that a fleet of mixed proxies agrees.

use std::net::SocketAddr;
use xxhash_rust::xxh64::xxh64;

/// Envoy's `maximum_ring_size`, which Istio does not change.
const LARGEST_RING: f64 = 8_388_608.0;

/// Positions of hosts by hash.
#[derive(Debug)]
pub(super) enum Table {
    Ring(Vec<(u64, u32)>),
    Maglev(Vec<u32>),
}

/// A host as tables see it.
pub(super) type Member = (SocketAddr, u32);

impl Table {
    /// Ketama. Source: Envoy `ring_hash_lb.cc`.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "weights and ring sizes are far below 2^52, hosts below 2^32"
    )]
    pub(super) fn ring(members: &[Member], minimum: u64) -> Self {
        let total: f64 = members.iter().map(|(_, weight)| f64::from(*weight)).sum();
        let least = members.iter().map(|(_, weight)| f64::from(*weight) / total);
        let least = least.fold(f64::INFINITY, f64::min);
        let scale = ((least * minimum as f64).ceil() / least).min(LARGEST_RING);
        let (mut current, mut target) = (0.0, 0.0);
        let mut ring = Vec::new();
        for (host, (address, weight)) in members.iter().enumerate() {
            target += scale * f64::from(*weight) / total;
            let mut index = 0_u64;
            while current < target {
                ring.push((
                    xxh64(format!("{address}_{index}").as_bytes(), 0),
                    host as u32,
                ));
                index += 1;
                current += 1.0;
            }
        }
        ring.sort_unstable();
        Self::Ring(ring)
    }

    /// Source: Envoy `maglev_lb.cc`, "Maglev: A Fast and Reliable Software Network Load Balancer" §3.4.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "hosts are far fewer than 2^32"
    )]
    pub(super) fn maglev(members: &[Member], size: u64) -> Self {
        const FREE: u32 = u32::MAX;
        struct Walk {
            offset: u64,
            skip: u64,
            next: u64,
            weight: f64,
            target: f64,
        }
        let heaviest = members
            .iter()
            .map(|(_, weight)| f64::from(*weight))
            .fold(0.0, f64::max);
        let walk = |(address, weight): &Member| {
            let key = address.to_string();
            let hash = |seed| xxh64(key.as_bytes(), seed);
            let (offset, skip) = (hash(0) % size, hash(1) % (size - 1) + 1);
            Walk {
                offset,
                skip,
                next: 0,
                weight: f64::from(*weight),
                target: 0.0,
            }
        };
        let mut walks: Vec<_> = members.iter().map(walk).collect();
        let mut table = vec![FREE; size as usize];
        let (mut filled, mut round) = (0, 0.0);
        while filled < table.len() {
            round += 1.0;
            for (host, walk) in walks.iter_mut().enumerate() {
                if round * walk.weight < walk.target || filled == table.len() {
                    continue;
                }
                walk.target += heaviest;
                let mut slot = (walk.offset + walk.skip * walk.next) % size;
                while table[slot as usize] != FREE {
                    walk.next += 1;
                    slot = (walk.offset + walk.skip * walk.next) % size;
                }
                table[slot as usize] = host as u32;
                walk.next += 1;
                filled += 1;
            }
        }
        Self::Maglev(table)
    }

    /// The host that `hash` belongs to. The table must not be empty.
    pub(super) fn find(&self, hash: u64) -> usize {
        let host = match self {
            Self::Ring(ring) => {
                let at = ring.partition_point(|(point, _)| *point < hash);
                ring[at % ring.len()].1
            }
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the rest is below the length"
            )]
            Self::Maglev(table) => table[(hash % table.len() as u64) as usize],
        };
        host as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(weights: &[u32]) -> Vec<Member> {
        let address = |at: usize| SocketAddr::from(([10, 0, 0, u8::try_from(at).unwrap()], 80));
        weights
            .iter()
            .enumerate()
            .map(|(at, weight)| (address(at), *weight))
            .collect()
    }

    fn shares(table: &Table, hosts: usize) -> Vec<f64> {
        let mut counts = vec![0.0; hosts];
        for key in 0..20_000_u32 {
            counts[table.find(xxh64(&key.to_be_bytes(), 7))] += 1.0 / 20_000.0;
        }
        counts
    }

    #[test]
    fn weights_are_shares_of_keys() {
        let members = members(&[1, 1, 2]);
        for table in [Table::ring(&members, 4096), Table::maglev(&members, 65_537)] {
            for (share, expected) in shares(&table, 3).into_iter().zip([0.25, 0.25, 0.5]) {
                assert!(
                    (share - expected).abs() < 0.05,
                    "{share} is not about {expected}"
                );
            }
        }
    }

    #[test]
    fn a_host_that_leaves_moves_only_its_own_keys() {
        let all = members(&[1; 10]);
        let without_last = &all[..9];
        for (before, after, most) in [
            // The same number of points for each host.
            (Table::ring(&all, 1000), Table::ring(without_last, 900), 0),
            (
                Table::maglev(&all, 65_537),
                Table::maglev(without_last, 65_537),
                1000,
            ),
        ] {
            let hashes = (0..10_000_u32).map(|key| xxh64(&key.to_be_bytes(), 7));
            let moved = hashes
                .filter(|hash| before.find(*hash) != 9 && before.find(*hash) != after.find(*hash))
                .count();
            assert!(moved <= most, "{moved} keys moved that need not");
        }
    }

    #[test]
    fn a_ring_point_is_the_hash_of_address_and_index() {
        let Table::Ring(ring) = Table::ring(&members(&[1]), 2) else {
            panic!("a ring")
        };
        let mut points = [xxh64(b"10.0.0.0:80_0", 0), xxh64(b"10.0.0.0:80_1", 0)];
        points.sort_unstable();
        assert_eq!(ring, points.map(|point| (point, 0)));
    }
}
