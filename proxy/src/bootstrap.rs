//! What the environment says; the only place of the proxy that reads it.

use anyhow::Context;

/// A variable of this process; `None` when unset or not UTF-8.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Starts logging as `WEFT_LOG` and `WEFT_LOG_FORMAT` say.
///
/// # Errors
/// Which of the two cannot be read.
pub fn start_log(lookup: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<()> {
    let filter = lookup("WEFT_LOG").unwrap_or_else(|| "warn,weft=info".to_owned());
    let format = lookup("WEFT_LOG_FORMAT").unwrap_or_default().parse()?;
    weft_telemetry::start(&filter, format).context("WEFT_LOG is not a log filter")
}
