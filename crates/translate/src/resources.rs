//! The result of a translation.

use prost::{Message, Name};
use std::collections::BTreeMap;
use std::sync::Arc;
use weft_proto::pb::google::protobuf::Any;

/// Encoded resources: by type URL, then by name.
///
/// The bytes of an `Any` depend on the resource's value only, so their hash may be its version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    types: BTreeMap<&'static str, BTreeMap<Arc<str>, Arc<Any>>>,
}

impl Resources {
    /// The type URLs that there are resources of, each with its resources by name.
    pub fn types(&self) -> impl Iterator<Item = (&'static str, &BTreeMap<Arc<str>, Arc<Any>>)> {
        self.types.iter().map(|(url, named)| (*url, named))
    }

    /// The resources of one type, by name.
    pub fn of(&self, type_url: &str) -> impl Iterator<Item = (&Arc<str>, &Arc<Any>)> {
        self.types.get(type_url).into_iter().flatten()
    }

    /// Adds the resource `name`; the first of a name stays.
    pub(crate) fn add<M: Message + Name>(&mut self, url: &'static str, name: &str, message: &M) {
        let named = self.types.entry(url).or_default();
        let pack = || Arc::new(weft_proto::pack(message));
        named.entry(name.into()).or_insert_with(pack);
    }
}
