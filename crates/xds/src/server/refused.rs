//! What clients refused, remembered across their streams.
//!
//! Envoy that refuses a part of a response forgets the versions of all of it, so that the next stream
//! does not tell us what it still holds; see [`crate::delta::Subscription::suspect`].

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A client that has not been back for this long holds nothing any more.
const KEPT: Duration = Duration::from_secs(3600);
/// Clients that we remember refusals of.
const MOST_CLIENTS: usize = 10_000;
/// Names that we remember of one client and type; there is no need for the tail of a broken mesh.
const MOST_NAMES: usize = 1_000;

/// Names that a client may hold although it does not say so, by type URL.
pub(super) type Suspects = HashMap<String, HashSet<Arc<str>>>;

#[derive(Debug, Default)]
pub(super) struct Refusals {
    clients: Mutex<HashMap<String, (Instant, Suspects)>>,
}

impl Refusals {
    /// Takes note that the client of this node id refused something among `names`.
    pub(super) fn add(&self, node: &str, type_url: &str, names: &[Arc<str>], now: Instant) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|_, (at, _)| now.duration_since(*at) < KEPT);
        if clients.len() >= MOST_CLIENTS && !clients.contains_key(node) {
            return;
        }
        let (at, suspects) = clients
            .entry(node.to_owned())
            .or_insert_with(|| (now, Suspects::new()));
        *at = now;
        let known = suspects.entry(type_url.to_owned()).or_default();
        let room = MOST_NAMES.saturating_sub(known.len());
        known.extend(names.iter().take(room).cloned());
    }

    /// All that is remembered of a client, for its new stream.
    pub(super) fn of(&self, node: &str) -> Suspects {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients
            .get(node)
            .map(|(_, suspects)| suspects.clone())
            .unwrap_or_default()
    }
}
