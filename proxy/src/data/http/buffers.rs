//! Read buffers that only connections with something to read hold.

use crate::data::stream::Stream;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};

/// Bytes of a fresh buffer: what one TLS record holds.
const SIZE: usize = 16 * 1024;
/// Buffers that a worker keeps for later.
const KEPT: usize = 64;
/// A text that grew above this is not kept.
const MOST_TEXT: usize = 16 * 1024;

/// One worker's buffers that nobody uses at the moment.
#[derive(Debug, Default)]
pub struct Buffers {
    memory: RefCell<Vec<Box<[u8]>>>,
    texts: RefCell<Vec<Vec<u8>>>,
}

impl Buffers {
    /// An empty buffer that takes memory when something is read.
    pub fn buffer(self: &Rc<Self>) -> Buffer {
        Buffer {
            pool: Rc::clone(self),
            memory: Box::default(),
            start: 0,
            end: 0,
        }
    }

    /// An empty text for what is to be written.
    pub fn text(&self) -> Vec<u8> {
        self.texts.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a text back.
    pub fn give_text(&self, mut text: Vec<u8>) {
        let mut texts = self.texts.borrow_mut();
        if text.capacity() > 0 && text.capacity() <= MOST_TEXT && texts.len() < KEPT {
            text.clear();
            texts.push(text);
        }
    }

    fn take(&self) -> Box<[u8]> {
        self.memory
            .borrow_mut()
            .pop()
            .unwrap_or_else(|| vec![0; SIZE].into())
    }

    fn give(&self, memory: Box<[u8]>) {
        let mut kept = self.memory.borrow_mut();
        if memory.len() == SIZE && kept.len() < KEPT {
            kept.push(memory);
        }
    }
}

/// Bytes that were read and not yet used. Without any it holds no memory.
#[derive(Debug)]
pub struct Buffer {
    pool: Rc<Buffers>,
    memory: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// The bytes.
    pub fn filled(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Forgets the first `count` bytes.
    pub fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.end, "more consumed than read");
        self.release_if_empty();
    }

    /// Reads more from `stream`; 0 is its end. Waits without holding memory when nothing is
    /// buffered.
    pub fn poll_fill(
        &mut self,
        stream: &RefCell<Stream>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.make_room();
        let mut free = ReadBuf::new(&mut self.memory[self.end..]);
        let polled = Pin::new(&mut *stream.borrow_mut()).poll_read(cx, &mut free);
        let count = free.filled().len();
        self.end += count;
        self.release_if_empty();
        ready!(polled)?;
        Poll::Ready(Ok(count))
    }

    /// Space for at least one more byte.
    fn make_room(&mut self) {
        if self.memory.is_empty() {
            self.memory = self.pool.take();
        } else if self.start > 0 {
            self.memory.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        } else if self.end == self.memory.len() {
            let mut larger = vec![0; self.memory.len() * 2];
            larger[..self.end].copy_from_slice(&self.memory);
            self.pool
                .give(std::mem::replace(&mut self.memory, larger.into()));
        }
    }

    fn release_if_empty(&mut self) {
        if self.start == self.end && !self.memory.is_empty() {
            self.pool.give(std::mem::take(&mut self.memory));
            self.start = 0;
            self.end = 0;
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.start = self.end;
        self.release_if_empty();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn a_buffer_holds_memory_only_while_it_holds_bytes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (peer, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let stream = RefCell::new(Stream::from(accepted.unwrap().0));
        let pool: Rc<Buffers> = Rc::default();
        let mut buffer = pool.buffer();

        let waiting = poll_fn(|cx| Poll::Ready(buffer.poll_fill(&stream, cx).is_pending())).await;
        assert!(waiting && buffer.memory.is_empty());

        peer.unwrap().write_all(b"hello").await.unwrap();
        poll_fn(|cx| buffer.poll_fill(&stream, cx)).await.unwrap();
        assert_eq!(buffer.filled(), b"hello");
        buffer.consume(5);
        assert!(buffer.memory.is_empty());
        assert_eq!(pool.memory.borrow().len(), 1);
    }
}
