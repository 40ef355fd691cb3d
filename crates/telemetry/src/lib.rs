//! Log set-up for every program: one place that names the logging libraries.
//!
//! Flows in: a filter and a format from the program's settings. Flows out: lines on standard error.
//! Must never decide what is logged; that is the caller's `tracing` events.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Registry, reload};

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// One human-readable line.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// A log format that is neither `text` nor `json`.
#[derive(Debug, Eq, PartialEq)]
pub struct UnknownFormat(String);

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "log format `{}` is unknown; use `text` or `json`",
            self.0
        )
    }
}

impl std::error::Error for UnknownFormat {}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text {
            "" | "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(UnknownFormat(other.to_owned())),
        }
    }
}

/// Changes the filter of a running program.
pub type Reload = reload::Handle<EnvFilter, Registry>;

static RELOAD: OnceLock<Reload> = OnceLock::new();

/// Starts logging; a second call in one process keeps the first set-up.
///
/// `filter` is in the syntax of `tracing`'s environment filter, such as `warn,weft=info`.
///
/// # Errors
/// If `filter` is not such a text.
pub fn start(filter: &str, format: Format) -> Result<(), ParseError> {
    let (filter, reload) = reload::Layer::new(EnvFilter::try_new(filter)?);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false);
    let lines = match format {
        Format::Text => lines.boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    if tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()
        .is_ok()
    {
        RELOAD.get_or_init(|| reload);
    }
    Ok(())
}

/// Replaces the filter of the running program and returns it as text; without one, tells the current.
///
/// # Errors
/// If `filter` is not a filter, see [`start`].
pub fn level(filter: Option<&str>) -> Result<String, ParseError> {
    let Some(handle) = RELOAD.get() else {
        return Ok(String::new());
    };
    if let Some(text) = filter {
        let filter = EnvFilter::try_new(text)?;
        // Only a subscriber that is gone makes this fail, and ours lives as long as the process.
        let _ = handle.reload(filter);
    }
    Ok(handle.with_current(ToString::to_string).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_that_does_not_exist_is_refused_by_name() {
        let error = "xml".parse::<Format>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "log format `xml` is unknown; use `text` or `json`"
        );
    }

    #[test]
    fn the_filter_of_a_running_program_can_be_changed() {
        start("warn", Format::Text).unwrap();
        assert_eq!(level(Some("weft=debug")).unwrap(), "weft=debug");
        assert_eq!(level(None).unwrap(), "weft=debug");
        assert!(level(Some("weft=loud")).is_err());
    }
}
