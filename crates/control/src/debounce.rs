//! Many events, one rebuild: pure rules for when to begin.

use std::time::{Duration, Instant};

/// Quiet time after which a rebuild begins.
const QUIET: Duration = Duration::from_millis(10);
/// Longest wait after the first event.
const LONGEST: Duration = Duration::from_millis(100);

/// Events that wait for a rebuild.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Debounce(Option<Window>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Window {
    first: Instant,
    last: Instant,
}

impl Debounce {
    /// Takes note of an event.
    #[must_use]
    pub fn event(self, now: Instant) -> Self {
        let first = self.0.map_or(now, |window| window.first);
        Self(Some(Window { first, last: now }))
    }

    /// When to rebuild; `None` if nothing waits.
    pub fn due(self) -> Option<Instant> {
        self.0
            .map(|window| (window.last + QUIET).min(window.first + LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebuild_waits_for_quiet_but_not_for_ever() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        assert_eq!(Debounce::default().due(), None);
        let one = Debounce::default().event(start);
        assert_eq!(one.due(), Some(after(10)));
        assert_eq!(one.event(after(8)).due(), Some(after(18)));
        let storm = (0..200).fold(Debounce::default(), |all, millis| all.event(after(millis)));
        assert_eq!(storm.due(), Some(after(100)));
    }
}
