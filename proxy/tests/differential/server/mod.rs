//! Servers that write down what reaches them and answer as the request itself asks.

mod http1;
mod http2;
mod plan;

pub(crate) use http2::{map, pairs, read};

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// One request as a server saw it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Received {
    pub(crate) server: String,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) version: &'static str,
    /// `host` or `:authority` under the name `host`; names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    /// Whether the body came to its end.
    pub(crate) complete: bool,
}

impl Received {
    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What all servers saw, by case.
#[derive(Debug, Default)]
pub(crate) struct Book {
    seen: Mutex<HashMap<String, Vec<Received>>>,
}

impl Book {
    /// Writes the head down; says where, and the attempt's number.
    fn begin(&self, received: Received) -> (Entry, usize) {
        let case = received.header("x-case").unwrap_or("").to_owned();
        let mut seen = self.seen.lock().unwrap();
        let list = seen.entry(case.clone()).or_default();
        let same = |other: &&Received| (other.server == "mirror") == (received.server == "mirror");
        let attempt = list.iter().filter(same).count() + 1;
        list.push(received);
        (
            Entry {
                case,
                at: list.len() - 1,
            },
            attempt,
        )
    }

    /// Adds what came after the head.
    fn end(&self, entry: &Entry, body: Vec<u8>, trailers: Vec<(String, String)>, complete: bool) {
        let mut seen = self.seen.lock().unwrap();
        let found = seen
            .get_mut(&entry.case)
            .and_then(|list| list.get_mut(entry.at));
        if let Some(received) = found {
            received.body = body;
            received.trailers = trailers;
            received.complete = complete;
        }
    }

    /// Everything so far; the book is empty afterwards.
    pub(crate) fn take(&self) -> HashMap<String, Vec<Received>> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

/// A line of the book.
struct Entry {
    case: String,
    at: usize,
}

/// All recording servers.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) ports: BTreeMap<String, u16>,
    pub(crate) book: Arc<Book>,
}

impl Servers {
    /// Starts them; they end with the runtime.
    pub(crate) async fn start() -> Self {
        let book = Arc::new(Book::default());
        let mut ports = BTreeMap::new();
        for name in [
            "origin", "other", "mirror", "origin2", "ring1", "ring2", "ring3", "tight", "tight2",
        ] {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            ports.insert(name.to_owned(), listener.local_addr().unwrap().port());
            let book = Arc::clone(&book);
            tokio::spawn(async move {
                loop {
                    let (socket, _) = listener.accept().await.unwrap();
                    socket.set_nodelay(true).unwrap();
                    let book = Arc::clone(&book);
                    match name {
                        "origin2" | "tight2" => tokio::spawn(http2::serve(socket, name, book)),
                        _ => tokio::spawn(http1::serve(socket, name, book)),
                    };
                }
            });
        }
        // Nobody listens here.
        let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        ports.insert("dead".to_owned(), closed.local_addr().unwrap().port());
        Self { ports, book }
    }
}
