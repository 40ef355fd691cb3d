//! How long the stories go on: short in the gate, long in `cargo xtask soak`.

use std::fmt::Display;
use std::time::Duration;

use crate::seconds;

/// The form in which the stories are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Enough to see that it works; for a machine that does other things too.
    Short,
    /// As long, and as exact about time, as the promise is; for a machine that does nothing else.
    Long,
}

impl Length {
    /// Long if `WEFT_SOAK` is set.
    pub fn chosen() -> Self {
        std::env::var_os("WEFT_SOAK").map_or(Self::Short, |_| Self::Long)
    }

    /// The number for this form.
    pub fn pick(self, short: u64, long: u64) -> u64 {
        match self {
            Self::Short => short,
            Self::Long => long,
        }
    }

    /// The time for this form, in seconds.
    pub fn time(self, short: u64, long: u64) -> Duration {
        seconds(self.pick(short, long))
    }
}

/// Says what was measured; `cargo xtask soak` keeps it.
#[allow(
    clippy::print_stdout,
    reason = "the test runner captures it, and shows it with --show-output"
)]
pub fn figure(what: impl Display) {
    println!("figure: {what}");
}
