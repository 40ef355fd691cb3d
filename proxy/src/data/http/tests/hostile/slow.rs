//! Clients that ask for much and do not read it.

use super::super::support::{Proxy, Setup, head, run, server};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;

const SIZE: usize = 256 << 20;
/// What the kernel may keep for four ends of two connections, and more than the proxy may.
const KEPT: usize = 64 << 20;

/// A proxy that gives up after a moment, how much its origin could send, and when it was cut off.
async fn endless() -> (Proxy, Rc<Cell<usize>>, Rc<Notify>) {
    let (sent, ended) = (Rc::<Cell<usize>>::default(), Rc::<Notify>::default());
    let (count, cut) = (Rc::clone(&sent), Rc::clone(&ended));
    let (address, _) = server(async move |mut socket: TcpStream| {
        head(&mut socket).await;
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n");
        socket.write_all(answer.as_bytes()).await.unwrap();
        while socket.write_all(&[0; 1 << 16]).await.is_ok() {
            count.set(count.get() + (1 << 16));
        }
        cut.notify_one();
    })
    .await;
    let mut setup = Setup::to(&[address]);
    setup.hcm.stream_idle_timeout = Some(Duration::from_millis(100));
    (setup.start(), sent, ended)
}

#[test]
fn what_a_client_does_not_read_is_not_kept_for_it() {
    let http1 = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".as_slice();
    // A preface, empty SETTINGS, and `GET http://a/`; the window is never opened further.
    let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\
                  \0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01a"
        .as_slice();
    run(async {
        for request in [http1, http2] {
            let (proxy, sent, ended) = endless().await;
            let mut client = proxy.connect().await;
            client.write_all(request).await.unwrap();
            ended.notified().await;
            assert!(sent.get() < KEPT, "{} bytes", sent.get());
            assert_eq!(proxy.stats()["http.test.downstream_rq_idle_timeout"], 1);
        }
    });
}
