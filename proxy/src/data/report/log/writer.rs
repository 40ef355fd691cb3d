//! The thread that writes access logs: lines come through a bounded queue and are written together.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Lines that may wait; more are dropped and counted.
const QUEUE: usize = 8192;
/// Lines are gathered for this long, so that a busy proxy wakes the writer 20 times a second.
const GATHER: Duration = Duration::from_millis(50);
/// The allocator alone takes more than 64 KiB of stack to grow a batch when it is built without
/// optimisation; pages that nobody touches cost nothing.
const STACK: usize = 512 * 1024;

/// Every access log that is open, by path. Opened at its first line.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    open: Mutex<HashMap<Arc<str>, Log>>,
    dropped: AtomicU64,
}

#[derive(Debug)]
struct Log {
    lines: SyncSender<String>,
    writer: JoinHandle<()>,
}

impl Logs {
    /// Hands `line` to the writer of `path`, or drops it.
    pub(crate) fn write(&self, path: &Arc<str>, line: String) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if !open.contains_key(path) {
            match Log::open(path) {
                Ok(log) => drop(open.insert(Arc::clone(path), log)),
                Err(error) => tracing::warn!(%path, %error, "access log cannot be opened"),
            }
        }
        let sent = open
            .get(path)
            .is_some_and(|log| log.lines.try_send(line).is_ok());
        if !sent {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Writes what waits and ends the writers.
    pub(crate) fn close(&self) {
        let open = std::mem::take(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner));
        for (_, Log { lines, writer }) in open {
            drop(lines);
            writer.thread().unpark();
            if writer.join().is_err() {
                tracing::warn!("an access log writer panicked; its last lines are lost");
            }
        }
    }
}

impl Log {
    fn open(path: &str) -> io::Result<Self> {
        let mut out = open(path)?;
        let (lines, queue) = sync_channel(QUEUE);
        let writer = thread::Builder::new()
            .name("access-log".to_owned())
            .stack_size(STACK)
            .spawn(move || while write_batch(&queue, &mut out) {})?;
        Ok(Self { lines, writer })
    }
}

/// `/dev/stdout` cannot be opened by name when it is a socket, so it is written as what it is.
fn open(path: &str) -> io::Result<Box<dyn Write + Send>> {
    Ok(match path {
        "/dev/stdout" => Box::new(io::stdout()),
        "/dev/stderr" => Box::new(io::stderr()),
        path => Box::new(append(path)?),
    })
}

fn append(path: &str) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Waits for a line, gathers others, writes all; false at the end of the queue.
fn write_batch(queue: &Receiver<String>, out: &mut dyn Write) -> bool {
    let Ok(mut batch) = queue.recv() else {
        return false;
    };
    thread::park_timeout(GATHER);
    for line in queue.try_iter() {
        batch.push_str(&line);
    }
    // A full disk costs log lines; there is nobody to tell but the log.
    let _ = out.write_all(batch.as_bytes()).and_then(|()| out.flush());
    true
}
