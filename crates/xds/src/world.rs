//! What a server offers to one stream: for each type a set of named, versioned resources.

use std::collections::BTreeMap;
use std::sync::Arc;
use weft_proto::pb::google::protobuf::Any;

/// One resource, encoded once and shared by every stream that gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Hash of the content: equal bytes have equal versions, on every replica.
    pub version: Arc<str>,
    /// The encoded message with its type URL.
    pub body: Arc<Any>,
}

/// All resources of one type, by name.
pub type Set = BTreeMap<Arc<str>, Resource>;

/// Everything that one class of clients may see, by type URL.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// Names this state in logs and in `system_version_info`; means nothing to the protocol.
    pub generation: u64,
    sets: BTreeMap<Arc<str>, Arc<Set>>,
}

impl World {
    /// An empty world.
    pub fn new(generation: u64) -> Self {
        Self {
            generation,
            sets: BTreeMap::new(),
        }
    }

    /// Adds or replaces one type.
    #[must_use]
    pub fn with(mut self, type_url: &str, set: Arc<Set>) -> Self {
        self.sets.insert(type_url.into(), set);
        self
    }

    /// The resources of a type; empty for a type that nobody offers.
    pub fn set(&self, type_url: &str) -> Arc<Set> {
        self.sets.get(type_url).cloned().unwrap_or_default()
    }

    /// This world together with what of `before` it lacks in the given types.
    #[must_use]
    pub fn keeping(&self, before: &Self, type_urls: &[&str]) -> Self {
        let mut kept = self.clone();
        for type_url in type_urls {
            let mut set = Set::clone(&before.set(type_url));
            set.extend(Set::clone(&self.set(type_url)));
            kept = kept.with(type_url, Arc::new(set));
        }
        kept
    }
}
