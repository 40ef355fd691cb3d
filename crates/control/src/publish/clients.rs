//! The proxies that are connected.

use super::{Moment, Worlds, world};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use weft_model::{Node, Problem, Snapshot};
use weft_xds::World;

/// A connected proxy.
#[derive(Debug)]
pub struct Client {
    /// Who it says it is; its identity was checked.
    pub node: Node,
    world: watch::Sender<Option<Arc<World>>>,
}

impl Client {
    /// What it is told; `None` before the first snapshot.
    pub fn world(&self) -> Option<Arc<World>> {
        self.world.borrow().clone()
    }

    /// Puts a world in force unless a later one is; wakes the stream if it says something new.
    fn update(&self, latest: Arc<World>) {
        self.world.send_if_modified(|current| {
            let news = current
                .as_ref()
                .is_none_or(|old| old.generation < latest.generation && !world::same(old, &latest));
            if news {
                *current = Some(latest);
            }
            news
        });
    }
}

/// All connected proxies, and the snapshot that they are told of.
#[derive(Debug, Default)]
pub struct Clients {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    connected: BTreeMap<u64, Arc<Client>>,
    current: Option<(Arc<Snapshot>, Moment)>,
}

/// A place among the connected proxies; given up when dropped.
#[derive(Debug)]
pub struct Ticket {
    number: u64,
    /// Generation that was current when it connected.
    first: u64,
    clients: Arc<Clients>,
    /// Who the proxy is.
    pub node: Node,
}

impl Clients {
    /// Adds a proxy, which is told of the current snapshot at once if there is one.
    pub fn connect(self: &Arc<Self>, node: Node) -> (Ticket, watch::Receiver<Option<Arc<World>>>) {
        let (world, worlds) = watch::channel(None);
        let client = Arc::new(Client {
            node: node.clone(),
            world,
        });
        let mut state = self.locked();
        state.next += 1;
        let number = state.next;
        state.connected.insert(number, Arc::clone(&client));
        let current = state.current.clone();
        drop(state);
        let first = current.as_ref().map_or(0, |(_, moment)| moment.generation);
        if let Some((snapshot, moment)) = current {
            client.update(Worlds::default().of(&snapshot, &node, moment.generation));
        }
        let clients = Arc::clone(self);
        let ticket = Ticket {
            number,
            first,
            clients,
            node,
        };
        (ticket, worlds)
    }

    /// Every connected proxy.
    pub fn all(&self) -> Vec<Arc<Client>> {
        self.locked().connected.values().cloned().collect()
    }

    /// Lets every stream end within `spread`, so that proxies go to another replica.
    pub async fn dismiss(&self, spread: Duration) {
        let mut left = u32::try_from(self.locked().connected.len()).unwrap_or(u32::MAX);
        let pause = spread / left.max(1);
        // Dropping a client's world is what ends its stream.
        while self.locked().connected.pop_first().is_some() {
            left = left.saturating_sub(1);
            if left > 0 {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Tells every proxy whose world has changed; gives what could not be translated.
    pub(super) fn replace(&self, snapshot: &Arc<Snapshot>, moment: Moment) -> Vec<Problem> {
        self.locked().current = Some((Arc::clone(snapshot), moment));
        let mut worlds = Worlds::default();
        for client in self.all() {
            client.update(worlds.of(snapshot, &client.node, moment.generation));
        }
        worlds.problems
    }

    /// The pod under this name runs as another service account than `node` says.
    pub fn contradicts(&self, node: &Node) -> bool {
        let key = weft_model::Key::new(&node.namespace, &node.pod);
        let current = self.locked().current.clone();
        current.is_some_and(|(snapshot, _)| {
            snapshot
                .pod(&key)
                .is_some_and(|pod| pod.service_account != node.service_account)
        })
    }

    /// No holder of this lock can panic half-way through a change.
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// How long ago the change came that a push of `generation` tells of; `None` for what the proxy was
    /// told because it connected, and for what is no longer the latest.
    pub fn age(&self, generation: u64) -> Option<Duration> {
        let current = self
            .clients
            .locked()
            .current
            .as_ref()
            .map(|(_, moment)| *moment);
        current
            .filter(|moment| moment.generation == generation && generation > self.first)
            .map(|moment| moment.since.elapsed())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.clients.locked().connected.remove(&self.number);
    }
}
