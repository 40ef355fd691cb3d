//! The types of one stream, in the order of pushing, each with at most one response under way.

use crate::interest::Excess;
use crate::order;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// More types than these on one stream are an attack or a bug; Envoy has about ten.
pub(super) const MOST_TYPES: usize = 32;

/// One type on one stream.
#[derive(Debug, Default)]
pub(super) struct Lane<S> {
    pub(super) subscription: S,
    /// When the response that is not answered yet was pushed.
    pushed: Option<Instant>,
}

impl<S> Lane<S> {
    pub(super) fn is_waiting(&self) -> bool {
        self.pushed.is_some()
    }

    /// A response is under way; no other is sent until it is answered.
    pub(super) fn wait(&mut self) {
        self.pushed = Some(Instant::now());
    }

    /// The response was answered; after how long.
    pub(super) fn settle(&mut self) -> Duration {
        self.pushed
            .take()
            .map(|at| at.elapsed())
            .unwrap_or_default()
    }
}

/// All types of one stream.
#[derive(Debug)]
pub(super) struct Lanes<S> {
    lanes: BTreeMap<(usize, Arc<str>), Lane<S>>,
    nonce: u64,
}

impl<S> Default for Lanes<S> {
    fn default() -> Self {
        let lanes = BTreeMap::new();
        Self { lanes, nonce: 0 }
    }
}

impl<S> Lanes<S> {
    pub(super) fn of(&mut self, type_url: &str) -> Option<&mut Lane<S>> {
        self.lanes.get_mut(&key(type_url))
    }

    /// The lane of a type, made by `first` if the type is new on this stream.
    pub(super) fn open(
        &mut self,
        type_url: &str,
        first: impl FnOnce() -> S,
    ) -> Result<&mut Lane<S>, Excess> {
        let key = key(type_url);
        if self.lanes.len() >= MOST_TYPES && !self.lanes.contains_key(&key) {
            return Err(Excess::Types { limit: MOST_TYPES });
        }
        let lane = || Lane {
            subscription: first(),
            pushed: None,
        };
        Ok(self.lanes.entry(key).or_insert_with(lane))
    }

    /// Makes before it breaks: what is pointed at comes before what points to it.
    pub(super) fn type_urls(&self) -> Vec<Arc<str>> {
        self.lanes
            .keys()
            .map(|(_, type_url)| Arc::clone(type_url))
            .collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Lane<S>)> {
        self.lanes
            .iter()
            .map(|((_, type_url), lane)| (type_url, lane))
    }

    /// The lane of a type if it is free to send on, with a nonce to send under.
    pub(super) fn free(&mut self, type_url: &str) -> Option<(u64, &mut Lane<S>)> {
        self.nonce += 1;
        let nonce = self.nonce;
        let lane = self.lanes.get_mut(&key(type_url))?;
        (!lane.is_waiting()).then_some((nonce, lane))
    }
}

fn key(type_url: &str) -> (usize, Arc<str>) {
    (order::rank(type_url), type_url.into())
}
