//! Peer metadata of TCP connections between mesh proxies: who stands beside the proxy at the other end.
//!
//! Where TLS has agreed on ALPN `istio-peer-exchange`, each side first sends a frame: a magic number, a length, both big-endian,
//! then a `google.protobuf.Any` (Istio's filter `istio.metadata_exchange`). What begins otherwise is the
//! application's.

use crate::data::stream::Stream;
use crate::data::tls::PEER_EXCHANGE;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::ready;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const MAGIC: [u8; 4] = 0x3D23_0467_u32.to_be_bytes();
/// Magic number and length.
const HEAD: usize = 8;
/// Longest text of a frame; more is no proxy's.
const LONGEST: usize = 64 * 1024;
/// Whether both ends of a connection send a frame.
pub(super) fn is_agreed(alpn: Option<&str>) -> bool {
    alpn == Some(PEER_EXCHANGE)
}

/// What a connection began with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The text of a frame.
    Frame(Vec<u8>),
    /// The application's first bytes, perhaps none.
    Application(Vec<u8>),
}

/// Sends the frame with `text`.
pub(super) async fn tell(stream: &RefCell<Stream>, text: &[u8]) -> io::Result<()> {
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    let frame = [&MAGIC[..], &length.to_be_bytes(), text].concat();
    let mut sent = 0;
    poll_fn(|cx| {
        let mut stream = stream.borrow_mut();
        while sent < frame.len() {
            sent += ready!(Pin::new(&mut *stream).poll_write(cx, &frame[sent..]))?;
        }
        Pin::new(&mut *stream).poll_flush(cx)
    })
    .await
}

/// Reads the peer's frame if it comes within `patience`.
pub(super) async fn hear_within(stream: &RefCell<Stream>, patience: Duration) -> io::Result<Heard> {
    let mut read = Vec::new();
    match tokio::time::timeout(patience, hear_into(stream, &mut read)).await {
        Ok(outcome) => outcome?,
        Err(_) => return Ok(Heard::Application(read)),
    }
    Ok(heard(read))
}

/// Reads the peer's frame.
pub(super) async fn hear(stream: &RefCell<Stream>) -> io::Result<Heard> {
    let mut read = Vec::new();
    hear_into(stream, &mut read).await?;
    Ok(heard(read))
}

fn heard(mut read: Vec<u8>) -> Heard {
    match begun(&read) {
        Begun::Whole => Heard::Frame(read.split_off(HEAD)),
        Begun::Lacks(_) | Begun::Otherwise => Heard::Application(read),
    }
}

/// Reads until a frame is whole or it is clear that there is none.
async fn hear_into(stream: &RefCell<Stream>, read: &mut Vec<u8>) -> io::Result<()> {
    while let Begun::Lacks(count) = begun(read) {
        let mut bytes = vec![0; count];
        let got = poll_fn(|cx| {
            let mut space = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut *stream.borrow_mut()).poll_read(cx, &mut space))?;
            std::task::Poll::Ready(io::Result::Ok(space.filled().len()))
        })
        .await?;
        if got == 0 {
            return Ok(());
        }
        read.extend_from_slice(&bytes[..got]);
    }
    Ok(())
}

/// What the first bytes of a connection are.
#[derive(Debug, PartialEq, Eq)]
enum Begun {
    /// A frame that lacks so many bytes, at least.
    Lacks(usize),
    /// A frame.
    Whole,
    /// No frame.
    Otherwise,
}

fn begun(read: &[u8]) -> Begun {
    let magic = read.len().min(MAGIC.len());
    if read[..magic] != MAGIC[..magic] {
        return Begun::Otherwise;
    }
    let Some(length) = read.get(MAGIC.len()..HEAD) else {
        return Begun::Lacks(HEAD - read.len());
    };
    let length = length
        .iter()
        .fold(0, |all, byte| all << 8 | usize::from(*byte));
    match (HEAD + length).saturating_sub(read.len()) {
        _ if length > LONGEST => Begun::Otherwise,
        0 => Begun::Whole,
        missing => Begun::Lacks(missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    async fn sockets() -> (TcpStream, RefCell<Stream>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (far, near) = tokio::join!(TcpStream::connect(address), listener.accept());
        (far.unwrap(), RefCell::new(near.unwrap().0.into()))
    }

    #[tokio::test]
    async fn a_frame_is_heard_as_it_was_told_and_nothing_behind_it() {
        let ((far, near), text) = (sockets().await, vec![7; 9_000]);
        let far = RefCell::new(far.into());
        let told = async {
            tell(&far, &text).await.unwrap();
            poll_fn(|cx| Pin::new(&mut *far.borrow_mut()).poll_write(cx, b"behind"))
                .await
                .unwrap();
        };
        let ((), heard) = tokio::join!(told, hear(&near));
        assert_eq!(heard.unwrap(), Heard::Frame(text));
        let mut behind = [0; 6];
        let mut space = ReadBuf::new(&mut behind);
        poll_fn(|cx| Pin::new(&mut *near.borrow_mut()).poll_read(cx, &mut space))
            .await
            .unwrap();
        assert_eq!(&behind, b"behind");
    }

    #[tokio::test]
    async fn what_is_no_frame_is_the_applications() {
        let huge = [&MAGIC[..], &[0xff; 4]].concat();
        let half = [&MAGIC[..], &[0, 0]].concat();
        for bytes in [
            &b""[..],
            b"GET / HTTP/1.1",
            b"=#\x04",
            &MAGIC[..3],
            &huge,
            &half,
        ] {
            let (mut far, near) = sockets().await;
            far.write_all(bytes).await.unwrap();
            far.shutdown().await.unwrap();
            let Heard::Application(read) = hear(&near).await.unwrap() else {
                panic!("{bytes:?} is a frame");
            };
            assert!(bytes.starts_with(&read), "{bytes:?} became {read:?}");
        }
    }

    #[tokio::test]
    async fn a_client_that_waits_for_the_servers_words_is_not_waited_for() {
        let (_far, near) = sockets().await;
        let heard = hear_within(&near, Duration::from_millis(1)).await;
        assert_eq!(heard.unwrap(), Heard::Application(Vec::new()));
    }
}
