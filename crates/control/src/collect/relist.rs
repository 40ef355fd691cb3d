//! A store that survives relists: what is in force changes only when a new list is complete.

use std::collections::BTreeMap;
use std::sync::Arc;
use weft_model::Key;
use weft_model::objects::Store;

/// What a kind's absence of objects may mean.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Empty {
    /// There is none.
    Possible,
    /// No cluster with us in it has none: the answer is wrong.
    Wrong,
}

/// A list that is being received, beside the store that is in force.
#[derive(Debug)]
pub(super) struct Relist<T> {
    empty: Empty,
    incoming: BTreeMap<Key, Arc<T>>,
}

impl<T: PartialEq> Relist<T> {
    pub(super) fn new(empty: Empty) -> Self {
        Self {
            empty,
            incoming: BTreeMap::new(),
        }
    }

    pub(super) fn begin(&mut self) {
        self.incoming.clear();
    }

    pub(super) fn add(&mut self, key: Key, object: T) {
        self.incoming.insert(key, Arc::new(object));
    }

    /// Puts the list in force; tells whether anything is different.
    pub(super) fn end(&mut self, store: &mut Store<T>) -> bool {
        let incoming = std::mem::take(&mut self.incoming);
        if incoming.is_empty() && self.empty == Empty::Wrong && !store.is_empty() {
            tracing::warn!("an empty list of a kind that cannot be empty was not believed");
            return false;
        }
        let changed = *store != incoming;
        *store = incoming;
        changed
    }
}

/// Adds or replaces one object; tells whether anything is different.
pub(super) fn apply<T: PartialEq>(store: &mut Store<T>, key: Key, object: T) -> bool {
    if store.get(&key).is_some_and(|old| **old == object) {
        return false;
    }
    store.insert(key, Arc::new(object));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("shop", name)
    }

    #[test]
    fn a_list_counts_when_it_is_complete_and_not_before() {
        let mut store = Store::from([(key("old"), Arc::new(1))]);
        let mut relist = Relist::new(Empty::Possible);
        relist.begin();
        relist.add(key("new"), 2);
        assert_eq!(store.keys().collect::<Vec<_>>(), [&key("old")]);
        assert!(relist.end(&mut store));
        assert_eq!(store.keys().collect::<Vec<_>>(), [&key("new")]);
    }

    #[test]
    fn an_empty_list_of_what_cannot_be_empty_is_not_believed() {
        let mut store = Store::from([(key("old"), Arc::new(1))]);
        assert!(!Relist::new(Empty::Wrong).end(&mut store));
        assert_eq!(store.len(), 1);
        assert!(Relist::new(Empty::Possible).end(&mut store));
        assert!(store.is_empty());
    }

    #[test]
    fn an_object_that_is_the_same_to_the_model_changes_nothing() {
        let mut store = Store::new();
        assert!(apply(&mut store, key("a"), 1));
        assert!(!apply(&mut store, key("a"), 1));
        assert!(apply(&mut store, key("a"), 2));
    }
}
