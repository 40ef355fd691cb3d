//! One worker's thread: its sockets, its tasks, its end.

use super::{Counted, Order, Status};
use crate::data::accept;
use crate::data::choose::state::Registry;
use crate::data::choose::upkeep::Upkeep;
use crate::data::drain::{Drain, DrainSender, Phase};
use crate::data::listen;
use crate::data::secrets::Secrets;
use crate::data::worker::Worker;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, LocalSet};

/// How long connections of a chain that is gone may go on. Source: Istio `drainDuration`.
const RETIREMENT: Duration = Duration::from_secs(45);
/// Pause after `accept` failed for want of file descriptors or memory.
const BACK_OFF: Duration = Duration::from_millis(100);
/// How long stopped connections may take to notice.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// Everything that a thread is given.
pub(super) struct Seat {
    pub(super) index: usize,
    pub(super) orders: watch::Receiver<Order>,
    pub(super) secrets: Arc<Secrets>,
    pub(super) registry: Arc<Registry>,
    pub(super) drain: Drain,
    pub(super) status: Arc<Status>,
}

impl Seat {
    pub(super) fn start(self) -> io::Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let name = format!("worker-{}", self.index);
        thread::Builder::new().name(name).spawn(move || {
            let tasks = LocalSet::new();
            tasks.block_on(&runtime, self.run());
        })
    }

    async fn run(mut self) {
        let order = self.orders.borrow_and_update().clone();
        let worker = Worker::new(
            Arc::clone(&order.config),
            Arc::clone(&self.secrets),
            Arc::clone(&self.registry),
            self.drain.clone(),
        );
        let mut sockets = Sockets {
            bound: HashMap::new(),
        };
        // One worker does for all what need be done once.
        let mut upkeep = (self.index == 0).then(Upkeep::default);
        self.obey(&order, &worker, &mut sockets, upkeep.as_mut());
        while self.orders.changed().await.is_ok() {
            let order = self.orders.borrow_and_update().clone();
            self.obey(&order, &worker, &mut sockets, upkeep.as_mut());
            if order.phase == Phase::Stopped {
                break;
            }
        }
        drop(sockets);
        worker.listeners().advance(Phase::Stopped);
        tokio::time::sleep(LAST_MOMENT.min(self.patience())).await;
    }

    fn patience(&self) -> Duration {
        if self.status.connections.load(Ordering::Acquire) == 0 {
            Duration::ZERO
        } else {
            LAST_MOMENT
        }
    }

    fn obey(
        &self,
        order: &Order,
        worker: &Rc<Worker>,
        sockets: &mut Sockets,
        upkeep: Option<&mut Upkeep>,
    ) {
        let first = sockets.bound.is_empty();
        if first || !Arc::ptr_eq(&worker.config(), &order.config) {
            retire(worker.apply(&order.config));
            if let Some(upkeep) = upkeep {
                upkeep.apply(&order.config, worker, &self.registry);
            }
        }
        worker.listeners().advance(order.phase);
        let complete = !order.accepting || sockets.apply(worker, &self.status);
        if !order.accepting {
            sockets.bound.clear();
        }
        self.status.bound[self.index].store(complete, Ordering::Release);
    }
}

/// Lets the connections of chains that are gone finish.
fn retire(gone: Vec<Rc<DrainSender>>) {
    if gone.is_empty() {
        return;
    }
    tokio::task::spawn_local(async move {
        gone.iter().for_each(|drain| drain.advance(Phase::Draining));
        tokio::time::sleep(RETIREMENT).await;
        gone.iter().for_each(|drain| drain.advance(Phase::Stopped));
    });
}

/// The listening sockets of one worker.
struct Sockets {
    bound: HashMap<SocketAddr, Accepting>,
}

/// A task that accepts; dropping it closes the socket.
struct Accepting {
    listener: Arc<str>,
    task: AbortHandle,
}

impl Drop for Accepting {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sockets {
    /// Binds what is new and closes what is gone; false if something could not be bound.
    fn apply(&mut self, worker: &Rc<Worker>, status: &Arc<Status>) -> bool {
        let listeners = worker.listeners();
        let wanted: HashMap<_, _> = listeners.bound().collect();
        self.bound.retain(|address, old| {
            wanted
                .get(address)
                .is_some_and(|name| **name == old.listener)
        });
        let mut complete = true;
        for (address, name) in wanted {
            if self.bound.contains_key(&address) {
                continue;
            }
            match listen::bind(address) {
                Ok(socket) => {
                    let name = Arc::clone(name);
                    let accepting = accept_all(
                        socket,
                        Arc::clone(&name),
                        Rc::clone(worker),
                        Arc::clone(status),
                    );
                    let task = tokio::task::spawn_local(accepting).abort_handle();
                    self.bound.insert(
                        address,
                        Accepting {
                            listener: name,
                            task,
                        },
                    );
                }
                Err(error) => {
                    complete = false;
                    tracing::error!(%address, listener = %name, %error, "listener not bound; is its port taken?");
                }
            }
        }
        complete
    }
}

async fn accept_all(socket: TcpListener, name: Arc<str>, worker: Rc<Worker>, status: Arc<Status>) {
    let stats = worker.report.listener(&name);
    loop {
        match socket.accept().await {
            Ok((connection, remote)) => {
                let Some(live) = worker.listeners().named(&name) else {
                    continue;
                };
                let counted = Counted::new(&status);
                let serving = accept::serve(Rc::clone(&worker), connection, remote, live);
                tokio::task::spawn_local(async move {
                    serving.await;
                    drop(counted);
                });
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                stats.accept_error.increment();
                tracing::debug!(%error, listener = %name, "accept");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

/// The client was gone before it was accepted.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}
