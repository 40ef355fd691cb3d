//! How much a client may make us do without asking for anything (RFC 9113 §10.5). Pure.
//!
//! The `h2` crate bounds what it keeps: heads, CONTINUATION frames, streams that were reset before
//! they were accepted. Frames that cost work and nothing else are counted here.

use std::time::Instant;

/// What every HTTP/2 client sends first.
const PREFACE: usize = 24;
/// A frame's length, kind, flags and stream (RFC 9113 §4.1).
const HEADER: usize = 9;

const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;

/// PING, SETTINGS and PRIORITY: at once, and each second. Clients that measure bandwidth send a
/// PING for each round trip, for a while.
const CONTROL: (f64, f64) = (5_000.0, 500.0);
/// Resets, where more than half of the streams are reset.
const RESETS: (f64, f64) = (500.0, 50.0);

/// Why a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flood {
    /// PING, SETTINGS and PRIORITY.
    Control,
    /// RST_STREAM (CVE-2023-44487).
    Resets,
}

/// The frames of one connection as their bytes go by.
#[derive(Debug)]
pub(super) struct Frames {
    /// Bytes that belong to the preface or to a payload.
    skip: usize,
    header: [u8; HEADER],
    filled: usize,
    opened: u64,
    reset: u64,
    control: Budget,
    resets: Budget,
}

impl Frames {
    /// A connection whose preface is still to come.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            skip: PREFACE,
            header: [0; HEADER],
            filled: 0,
            opened: 0,
            reset: 0,
            control: Budget::new(CONTROL, now),
            resets: Budget::new(RESETS, now),
        }
    }

    /// Looks at the next bytes from the client.
    ///
    /// # Errors
    /// What there is too much of.
    pub(super) fn pass(
        &mut self,
        mut bytes: &[u8],
        now: impl Fn() -> Instant,
    ) -> Result<(), Flood> {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let taken = (HEADER - self.filled).min(bytes.len());
            self.header[self.filled..][..taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == HEADER {
                self.filled = 0;
                let [a, b, c, kind, ..] = self.header;
                self.skip = u32::from_be_bytes([0, a, b, c]) as usize;
                self.count(kind, &now)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, kind: u8, now: &impl Fn() -> Instant) -> Result<(), Flood> {
        match kind {
            HEADERS => self.opened += 1,
            PING | SETTINGS | PRIORITY if !self.control.take(now()) => return Err(Flood::Control),
            RST_STREAM => {
                self.reset += 1;
                let within = self.resets.take(now());
                if !within && self.reset * 2 > self.opened {
                    return Err(Flood::Resets);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// So many at once, and so many each second.
#[derive(Debug)]
struct Budget {
    most: f64,
    each_second: f64,
    left: f64,
    at: Instant,
}

impl Budget {
    fn new((most, each_second): (f64, f64), now: Instant) -> Self {
        Self {
            most,
            each_second,
            left: most,
            at: now,
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.left = (self.left + passed * self.each_second).min(self.most);
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn frame(kind: u8, payload: usize) -> Vec<u8> {
        let [_, length @ ..] = u32::try_from(payload).unwrap().to_be_bytes();
        let mut frame = length.to_vec();
        frame.extend([kind, 0, 0, 0, 0, 1]);
        frame.resize(HEADER + payload, 0);
        frame
    }

    fn begun(now: Instant) -> Frames {
        let mut frames = Frames::new(now);
        frames.pass(&[0; PREFACE], || now).unwrap();
        frames
    }

    #[test]
    fn frames_are_counted_however_their_bytes_are_cut() {
        let now = Instant::now();
        let bytes = frame(PING, 8).repeat(5_001);
        for size in [1, 7, 17, 4096] {
            let mut frames = begun(now);
            let passed = bytes
                .chunks(size)
                .try_for_each(|part| frames.pass(part, || now));
            assert_eq!(passed, Err(Flood::Control), "{size}");
        }
    }

    #[test]
    fn a_steady_client_is_let_alone() {
        let start = Instant::now();
        let mut frames = begun(start);
        for second in 0..100 {
            let now = start + Duration::from_secs(second);
            let bytes = [frame(PING, 8).repeat(400), frame(0, 100).repeat(9_000)].concat();
            assert_eq!(frames.pass(&bytes, || now), Ok(()));
        }
    }

    #[test]
    fn resets_count_when_they_are_most_of_what_comes() {
        let now = Instant::now();
        let round = |heads: usize| [frame(HEADERS, 5).repeat(heads), frame(RST_STREAM, 4)].concat();
        assert_eq!(
            begun(now).pass(&round(1).repeat(501), || now),
            Err(Flood::Resets)
        );
        assert_eq!(begun(now).pass(&round(3).repeat(501), || now), Ok(()));
    }
}
