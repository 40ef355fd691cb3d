//! Translated resources as the protocol wants them.

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;
use weft_proto::type_url::{CLUSTER, ENDPOINTS, LISTENER, NAMES, ROUTE, SECRET};
use weft_translate::Resources;
use weft_xds::{Resource, Set, World};

/// Types that a world may hold.
const TYPES: [&str; 6] = [CLUSTER, ENDPOINTS, LISTENER, ROUTE, SECRET, NAMES];

/// The world of these resources. A resource's version is the hash of its bytes.
pub(super) fn of(resources: &Resources, generation: u64) -> World {
    resources
        .types()
        .fold(World::new(generation), |world, (url, named)| {
            let set = named.iter().map(|(name, body)| {
                let resource = Resource {
                    version: version(&body.value),
                    body: Arc::clone(body),
                };
                (Arc::clone(name), resource)
            });
            world.with(url, Arc::new(set.collect::<Set>()))
        })
}

/// Equal bytes have equal versions, also on another replica of the same build.
fn version(bytes: &[u8]) -> Arc<str> {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("{:016x}", hasher.finish()).into()
}

/// Whether a client that has one of them is up to date with the other.
pub(super) fn same(one: &World, other: &World) -> bool {
    TYPES.iter().all(|url| {
        let (one, other) = (one.set(url), other.set(url));
        one.len() == other.len()
            && one
                .iter()
                .zip(other.iter())
                .all(|((name, old), (other_name, new))| {
                    name == other_name && old.version == new.version
                })
    })
}
