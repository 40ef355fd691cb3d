//! HTTP/2 clients that cost more than they ask for. Each is bounded and counted, and nobody else
//! suffers.

use super::super::support::{Proxy, run, until};
use super::proxied;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length.to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `GET http://a/`: three fields of HPACK's static table, and an authority.
const GET: &[u8] = &[0x82, 0x86, 0x84, 0x41, 1, b'a'];

/// The proxy's counter after a client that says this, on a connection of its own, has been ended.
async fn ended_by(proxy: &Proxy, frames: &[u8], counter: &str) -> u64 {
    let (mut read, mut write) = proxy.connect().await.into_split();
    let begin = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    let mut answer = Vec::new();
    let (_, _) = tokio::join!(
        async {
            // It is ended while it writes.
            let _ = write.write_all(&begin).await;
            let _ = write.write_all(frames).await;
        },
        read.read_to_end(&mut answer)
    );
    proxy.stats()[&format!("http.test.{counter}")]
}

/// Another client is served as if nothing were.
async fn assert_serves(proxy: &Proxy) {
    let mut client = proxy.connect().await;
    let get = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    client.write_all(get).await.unwrap();
    assert!(until(&mut client, "ok").await.starts_with("HTTP/1.1 200 "));
}

#[test]
fn floods_end_their_connection_and_are_counted() {
    let resets: Vec<u8> = (0..2_000u32)
        .flat_map(|at| {
            let stream = 2 * at + 1;
            let open = frame(HEADERS, END_STREAM | END_HEADERS, stream, GET);
            [open, frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
        })
        .collect();
    let continued = frame(CONTINUATION, 0, 1, &[0]).repeat(5_000);
    let continuations = [frame(HEADERS, 0, 1, GET), continued].concat();
    let pings = frame(PING, 0, 0, &[0; 8]).repeat(20_000);
    let settings = frame(SETTINGS, 0, 0, &[]).repeat(20_000);
    run(async {
        for (name, frames, counter) in [
            ("rapid reset", &resets, "http2.enhance_your_calm"),
            ("continuations", &continuations, "http2.enhance_your_calm"),
            ("pings", &pings, "http2.inbound_control_frames_flood"),
            ("settings", &settings, "http2.inbound_control_frames_flood"),
        ] {
            let (proxy, _) = proxied().await;
            let count = ended_by(&proxy, frames, counter).await;
            assert_eq!(count, 1, "{name}: {:?}", proxy.stats());
            assert_serves(&proxy).await;
        }
    });
}

#[test]
fn a_small_head_that_unpacks_to_a_large_one_reaches_nobody() {
    // A field of 3 kB goes into the table once and is then named by one byte each.
    let mut bomb = [GET, &[0x40, 1, b'x', 0x7f, 0xb9, 0x16]].concat();
    bomb.extend([b'y'; 3000]);
    bomb.extend([0xbe; 10_000]);
    let bomb = frame(HEADERS, END_STREAM | END_HEADERS, 1, &bomb);
    run(async {
        let (proxy, seen) = proxied().await;
        let mut client = proxy.connect().await;
        let begin = [PREFACE, &frame(SETTINGS, 0, 0, &[]), &bomb].concat();
        client.write_all(&begin).await.unwrap();
        assert_serves(&proxy).await;
        let seen = String::from_utf8_lossy(&seen.borrow()).into_owned();
        assert!(!seen.contains("yyyy"), "{} bytes", seen.len());
    });
}

#[test]
fn a_head_that_contradicts_itself_is_reset_and_counted() {
    // `content-length: 5` on a stream that has ended; `content_length`, as a name.
    let promised = [GET, &[0x0f, 0x0d, 1, b'5']].concat();
    let underscored = [GET, &[0x00, 14], b"content_length", &[1, b'5']].concat();
    run(async {
        for block in [promised, underscored] {
            let (proxy, seen) = proxied().await;
            let mut client = proxy.connect().await;
            let head = frame(HEADERS, END_STREAM | END_HEADERS, 1, &block);
            let begin = [PREFACE, &frame(SETTINGS, 0, 0, &[]), &head].concat();
            client.write_all(&begin).await.unwrap();
            // The stream's reset: 4 bytes, on stream 1.
            let reset = [0, 0, 4, RST_STREAM, 0, 0, 0, 0, 1];
            let mut answer = Vec::new();
            while !answer.windows(9).any(|window| window == reset) {
                assert_ne!(client.read_buf(&mut answer).await.unwrap(), 0, "{answer:?}");
            }
            assert!(seen.borrow().is_empty());
        }
    });
}
