//! What hostile clients send: nothing that two parsers could read differently reaches the origin,
//! and floods are bounded. The tables follow RFC 9112 §2 to §7 and RFC 9113 §10.5.

mod bodies;
mod frames;
mod heads;
mod slow;

use super::support::{Proxy, Setup, server};
use std::cell::RefCell;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What must come of a row.
enum Expected {
    /// Refused with this status before the origin has seen a byte.
    Refused(u16),
    /// Refused with this status when the origin has the head already; it never gets an end.
    BrokenOff(u16),
    /// Forwarded, and the origin reads this in it.
    Passes(&'static str),
}

/// Everything that an origin has read, over all its connections.
type Seen = Rc<RefCell<Vec<u8>>>;

/// A proxy, and what its origin has read.
async fn proxied() -> (Proxy, Seen) {
    let seen = Seen::default();
    let all = Rc::clone(&seen);
    let (address, _) = server(async move |mut socket: TcpStream| {
        let from = all.borrow().len();
        let mut buffer = vec![0; 64 * 1024];
        while !is_message(&all.borrow()[from..]) {
            match socket.read(&mut buffer).await {
                Ok(count @ 1..) => all.borrow_mut().extend_from_slice(&buffer[..count]),
                Ok(0) | Err(_) => return,
            }
        }
        let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
        // The proxy may have gone.
        let _ = socket.write_all(answer).await;
    })
    .await;
    (Setup::to(&[address]).start(), seen)
}

/// Whether a message has ended, in the plainest reading.
fn is_message(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    if head.contains("transfer-encoding: chunked") {
        return body.starts_with("0\r\n") && body.ends_with("\r\n\r\n")
            || body.contains("\r\n0\r\n") && body.ends_with("\r\n\r\n");
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

/// Sends the bytes, reads all that comes back, and only then goes.
async fn say(proxy: &Proxy, bytes: &[u8]) -> String {
    let (mut read, mut write) = proxy.connect().await.into_split();
    let mut answer = Vec::new();
    let (_, _) = tokio::join!(
        // A proxy that has refused does not read on, and what it has not read may reset the
        // connection after its answer.
        write.write_all(bytes),
        read.read_to_end(&mut answer)
    );
    String::from_utf8_lossy(&answer).into_owned()
}

async fn check(name: &str, bytes: &[u8], expected: Expected) {
    let (proxy, seen) = proxied().await;
    let answer = say(&proxy, bytes).await;
    let seen = String::from_utf8_lossy(&seen.borrow()).into_owned();
    let status = |code: u16| answer.starts_with(&format!("HTTP/1.1 {code} "));
    match expected {
        Expected::Refused(code) => {
            assert!(status(code), "{name}: {answer:?}");
            assert_eq!(seen, "", "{name}");
            assert!(
                answer.contains("connection: close\r\n"),
                "{name}: {answer:?}"
            );
        }
        Expected::BrokenOff(code) => {
            assert!(status(code), "{name}: {answer:?}");
            assert!(!is_message(seen.as_bytes()), "{name}: {seen:?}");
        }
        Expected::Passes(part) => {
            assert!(status(200), "{name}: {answer:?}");
            assert!(seen.contains(part), "{name}: {seen:?}");
        }
    }
    assert!(!seen.contains("smuggled"), "{name}: {seen:?}");
}
