//! Upstream HTTP connections that wait for their next request.

use super::body::Broken;
use super::body::{Incoming, Outgoing};
use super::h1::client;
use super::head::{Request, Response};
use crate::config::Cluster;
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

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
    H1(Box<client::Connection>),
}

/// The answer to one request.
#[derive(Debug)]
pub enum Answer<'a> {
    /// On an HTTP/1 connection.
    H1(client::Answer<'a>),
}

impl Connection {
    /// Begins a request.
    pub fn begin(&mut self, request: &Request) -> (Outgoing<'_>, Answer<'_>) {
        match self {
            Self::H1(connection) => {
                let (writer, answer) = connection.begin(request);
                (Outgoing::H1(writer), Answer::H1(answer))
            }
        }
    }

    /// Whether anything has come back since the last request began.
    pub fn has_answered(&self) -> bool {
        match self {
            Self::H1(connection) => connection.has_answered(),
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
        }
    }

    /// The body that follows `response`.
    pub fn body(self, response: &Response) -> Incoming<'a> {
        match self {
            Self::H1(answer) => Incoming::H1(answer.body(response)),
        }
    }
}

/// One worker's idle connections to one host.
#[derive(Debug, Default)]
pub struct HostPool {
    idle: Rc<RefCell<Idle>>,
}

/// The most recently used one is last, and is taken first.
#[derive(Debug, Default)]
struct Idle {
    h1: Vec<client::Connection>,
    swept: bool,
}

impl HostPool {
    /// An idle connection that is still good.
    pub fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        while let Some(mut connection) = idle.h1.pop() {
            if connection.is_quiet() {
                return Some(Connection::H1(Box::new(connection)));
            }
        }
        None
    }

    /// Keeps a connection for the next request, if it can carry one.
    pub fn give(&self, connection: Connection, cluster: &Cluster) {
        let Connection::H1(mut connection) = connection;
        let most = cluster.max_requests_per_connection;
        let worn = most != 0 && connection.requests >= most;
        let mut idle = self.idle.borrow_mut();
        if !connection.keep || worn || idle.h1.len() >= MOST_IDLE {
            return;
        }
        connection.idle_since = Instant::now();
        idle.h1.push(*connection);
        if !idle.swept {
            idle.swept = true;
            let limit = cluster.idle_timeout.unwrap_or(IDLE);
            tokio::task::spawn_local(sweep(Rc::downgrade(&self.idle), limit));
        }
    }
}

/// Lets go what is of no more use, until nothing is left or the host has gone.
async fn sweep(idle: Weak<RefCell<Idle>>, limit: Duration) {
    loop {
        tokio::time::sleep(SWEEP.min(limit)).await;
        let Some(idle) = idle.upgrade() else { return };
        let mut idle = idle.borrow_mut();
        idle.h1.retain_mut(|connection| {
            connection.idle_since.elapsed() < limit && connection.is_quiet()
        });
        if idle.h1.is_empty() {
            idle.swept = false;
            return;
        }
    }
}
