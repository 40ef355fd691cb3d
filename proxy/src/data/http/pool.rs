//! Upstream HTTP connections that wait for their next request.

use super::body::{Broken, Incoming, Outgoing};
use super::dialling::Dialling;
use super::head::{Request, Response};
use super::{h1, h2};
use crate::config::Cluster;
use crate::data::dial::{Ends, Offer};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Idle connections live this long when the cluster does not say.
const IDLE: Duration = Duration::from_secs(60);
/// How often connections that have been closed or idle for too long are let go.
const SWEEP: Duration = Duration::from_secs(5);
/// Idle connections to one host.
const MOST_IDLE: usize = 256;

/// A connection that carries a request.
#[derive(Debug)]
pub enum Connection {
    /// HTTP/1, for one request at a time.
    H1(Box<h1::client::Connection>),
    /// HTTP/2, shared.
    H2(h2::client::Connection),
}

/// The answer to one request.
#[derive(Debug)]
pub enum Answer<'a> {
    /// On an HTTP/1 connection.
    H1(h1::client::Answer<'a>),
    /// On an HTTP/2 stream.
    H2(Box<h2::client::Answer>),
}

impl Connection {
    /// Begins a request.
    ///
    /// # Errors
    /// When the connection takes no more.
    pub fn begin(&mut self, request: &Request) -> Result<(Outgoing<'_>, Answer<'_>), Broken> {
        match self {
            Self::H1(connection) => {
                let (writer, answer) = connection.begin(request);
                Ok((Outgoing::H1(writer), Answer::H1(answer)))
            }
            Self::H2(connection) => {
                let (sender, answer) = connection.begin(request)?;
                Ok((Outgoing::H2(sender), Answer::H2(Box::new(answer))))
            }
        }
    }

    /// Who is at its ends.
    pub fn ends(&self) -> &Rc<Ends> {
        match self {
            Self::H1(connection) => &connection.ends,
            Self::H2(connection) => &connection.ends,
        }
    }

    /// Whether the peer may have seen anything of the last request.
    pub fn has_sent(&self) -> bool {
        match self {
            Self::H1(connection) => connection.has_sent(),
            Self::H2(_) => true,
        }
    }

    /// Whether anything has come back since the last request began.
    pub fn has_answered(&self) -> bool {
        match self {
            Self::H1(connection) => connection.has_answered(),
            // Only streams that were refused by name are known to be untouched.
            Self::H2(_) => true,
        }
    }
}

impl<'a> Answer<'a> {
    /// The next head, perhaps an interim one.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn head(&mut self) -> Result<Response, Broken> {
        match self {
            Self::H1(answer) => answer.head().await,
            Self::H2(answer) => answer.head().await,
        }
    }

    /// The body that follows `response`.
    pub fn body(self, response: &Response) -> Incoming<'a> {
        match self {
            Self::H1(answer) => Incoming::H1(answer.body(response)),
            Self::H2(answer) => match answer.body() {
                Some(receiver) => Incoming::H2(receiver),
                None => Incoming::Memory(Bytes::new()),
            },
        }
    }
}

/// One worker's idle connections to one host.
#[derive(Debug, Default)]
pub struct HostPool {
    idle: Rc<RefCell<Idle>>,
    /// The dial of a connection that will be shared.
    pub dialling: Dialling,
    freed: Notify,
    waiting: Rc<Cell<u32>>,
}

/// A request that waits for a connection, until it is dropped.
#[derive(Debug)]
pub struct Waiting(Rc<Cell<u32>>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// The most recently used one is last, and is taken first.
#[derive(Debug, Default)]
struct Idle {
    h1: Vec<h1::client::Connection>,
    h2: Vec<h2::client::Connection>,
    most_requests: u32,
    swept: bool,
}

impl HostPool {
    /// An idle connection that is still good, or a shared one with room.
    pub fn take(&self, offer: Offer) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        match offer {
            Offer::Http2 => idle.shared().map(Connection::H2),
            Offer::Http1 | Offer::Tcp => {
                while let Some(mut connection) = idle.h1.pop() {
                    if connection.is_quiet() {
                        return Some(Connection::H1(Box::new(connection)));
                    }
                }
                None
            }
        }
    }

    /// Keeps a connection for the next request, if it can carry one.
    pub fn give(&self, connection: Connection, cluster: &Cluster) {
        let Connection::H1(mut connection) = connection else {
            return;
        };
        let most = cluster.max_requests_per_connection;
        let worn = most != 0 && connection.requests >= most;
        let mut idle = self.idle.borrow_mut();
        if !connection.keep || worn || idle.h1.len() >= MOST_IDLE {
            return;
        }
        connection.idle_since = Instant::now();
        idle.h1.push(*connection);
        self.freed.notify_one();
        self.keep_swept(&mut idle, cluster);
    }

    /// Counts one more request that waits.
    pub fn wait(&self) -> Waiting {
        self.waiting.set(self.waiting.get() + 1);
        Waiting(Rc::clone(&self.waiting))
    }

    /// Requests that wait now.
    pub fn waiting(&self) -> u32 {
        self.waiting.get()
    }

    /// Ends when a connection has become idle since the last call; one waiter is told of each.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Lets later requests use `connection` beside the present one.
    pub fn share(&self, connection: &h2::client::Connection, cluster: &Cluster) {
        let mut idle = self.idle.borrow_mut();
        idle.most_requests = cluster.max_requests_per_connection;
        idle.h2.push(connection.clone());
        self.keep_swept(&mut idle, cluster);
    }

    fn keep_swept(&self, idle: &mut Idle, cluster: &Cluster) {
        if !std::mem::replace(&mut idle.swept, true) {
            let limit = cluster.idle_timeout.unwrap_or(IDLE);
            tokio::task::spawn_local(sweep(Rc::downgrade(&self.idle), limit));
        }
    }
}

impl Idle {
    /// A shared connection with room; those that have ended are let go.
    fn shared(&mut self) -> Option<h2::client::Connection> {
        let most = self.most_requests;
        self.h2.retain_mut(|connection| {
            connection.has_room().is_some() && (most == 0 || connection.requests.get() < most)
        });
        self.h2.iter_mut().find_map(|connection| {
            (connection.has_room() == Some(true)).then(|| connection.clone())
        })
    }

    fn sweep(&mut self, limit: Duration) {
        self.h1.retain_mut(|connection| {
            connection.idle_since.elapsed() < limit && connection.is_quiet()
        });
        self.h2.retain_mut(|connection| {
            let idle = connection.is_idle() && connection.idle_since.get().elapsed() >= limit;
            !idle && connection.has_room().is_some()
        });
    }
}

/// Lets go what is of no more use, until nothing is left or the host has gone.
async fn sweep(idle: Weak<RefCell<Idle>>, limit: Duration) {
    loop {
        tokio::time::sleep(SWEEP.min(limit)).await;
        let Some(idle) = idle.upgrade() else { return };
        let mut idle = idle.borrow_mut();
        idle.sweep(limit);
        if idle.h1.is_empty() && idle.h2.is_empty() {
            idle.swept = false;
            return;
        }
    }
}
