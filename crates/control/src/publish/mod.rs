//! From what is known to what each connected proxy is told.
//!
//! Flows in: [`Knowledge`] and the proxies that connect. Flows out: a [`World`] for each, and the
//! problems found on the way. A proxy is woken only if something that it is told has changed.

mod clients;
mod world;

pub use clients::{Client, Clients, Ticket};

use crate::collect::{Collected, Knowledge};
use crate::debounce::Debounce;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;
use weft_model::objects::{Config, Store};
use weft_model::{Key, Node, ObjectRef, Objects, Problem, Snapshot, View};
use weft_xds::World;

/// The latest rebuild.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// The mesh.
    pub snapshot: Arc<Snapshot>,
    /// What is wrong with somebody's object.
    pub problems: Arc<Vec<Problem>>,
    /// Generations of the objects that have problems, where their kind has any.
    pub generations: Arc<BTreeMap<ObjectRef, i64>>,
    /// Counts rebuilds; 0 before the first.
    pub generation: u64,
}

/// A rebuild, and when the first change that it is about came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) generation: u64,
    pub(crate) since: Instant,
}

/// Rebuilds on change until the knowledge ends, and tells `clients`.
pub async fn run(
    mut knowledge: Knowledge,
    clients: Arc<Clients>,
    published: watch::Sender<Published>,
) {
    while let Some(since) = wait_for_change(&mut knowledge).await {
        let collected = knowledge.borrow_and_update().clone();
        let generation = published.borrow().generation + 1;
        // Later a Secret that does not come holds nobody else up.
        let known = generation > 1 || collected.has_credentials();
        if !collected.is_complete() || !known {
            continue;
        }
        let for_clients = Arc::clone(&clients);
        let moment = Moment { generation, since };
        let build = move || rebuild(&collected, moment, &for_clients);
        match tokio::task::spawn_blocking(build).await {
            Ok(latest) => published.send_replace(latest),
            // A bug of ours: the last good state stays in force, and the next change tries again.
            Err(error) => {
                tracing::error!(%error, "rebuild ended early; the last state stays in force");
                continue;
            }
        };
    }
}

/// When the first of some changes came; `None` when nothing will change any more.
async fn wait_for_change(knowledge: &mut Knowledge) -> Option<Instant> {
    knowledge.changed().await.ok()?;
    let since = Instant::now();
    let mut debounce = Debounce::default().event(since);
    while let Some(due) = debounce.due() {
        tokio::select! {
            changed = knowledge.changed() => match changed {
                Ok(()) => debounce = debounce.event(Instant::now()),
                Err(_) => return None,
            },
            () = tokio::time::sleep_until(due.into()) => break,
        }
    }
    Some(since)
}

fn rebuild(collected: &Collected, moment: Moment, clients: &Clients) -> Published {
    let (snapshot, mut problems) = Snapshot::build(&collected.objects);
    let snapshot = Arc::new(snapshot);
    problems.extend(clients.replace(&snapshot, moment));
    problems.sort();
    problems.dedup();
    Published {
        generations: Arc::new(generations(&collected.objects, &problems)),
        snapshot,
        problems: Arc::new(problems),
        generation: moment.generation,
    }
}

/// Generations of the objects that `problems` are about. Services have none.
fn generations(objects: &Objects, problems: &[Problem]) -> BTreeMap<ObjectRef, i64> {
    fn of<T>(store: &Store<Config<T>>, key: &Key) -> Option<i64> {
        store.get(key).map(|object| object.meta.generation)
    }
    let generation = |object: &ObjectRef| match object.kind {
        "AuthorizationPolicy" => of(&objects.authorization_policies, &object.key),
        "DestinationRule" => of(&objects.destination_rules, &object.key),
        "PeerAuthentication" => of(&objects.peer_authentications, &object.key),
        "ServiceEntry" => of(&objects.service_entries, &object.key),
        "Gateway" => of(&objects.gateways, &object.key),
        "Sidecar" => of(&objects.sidecars, &object.key),
        "VirtualService" => of(&objects.virtual_services, &object.key),
        "WorkloadEntry" => of(&objects.workload_entries, &object.key),
        _ => None, // text of the API, not an enum of ours
    };
    problems
        .iter()
        .filter_map(|problem| Some((problem.object.clone(), generation(&problem.object)?)))
        .collect()
}

/// Worlds of one snapshot, shared by proxies with equal views.
#[derive(Debug, Default)]
struct Worlds {
    made: HashMap<View, Arc<World>>,
    problems: Vec<Problem>,
}

impl Worlds {
    fn of(&mut self, snapshot: &Snapshot, node: &Node, generation: u64) -> Arc<World> {
        let view = snapshot.view(node);
        if let Some(world) = self.made.get(&view) {
            return Arc::clone(world);
        }
        let (resources, problems) = weft_translate::resources(&view);
        self.problems.extend(problems);
        let world = Arc::new(world::of(&resources, generation));
        self.made.insert(view, Arc::clone(&world));
        world
    }
}
