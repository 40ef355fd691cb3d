//! `weft-proxy`: the sidecar. See [`weft_proxy`] for what it is made of.

use anyhow::{Context, bail};
use weft_proxy::{bootstrap, init};

/// Gives memory back to the system sooner than the C library's allocator does.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const USAGE: &str = "usage: weft-proxy init | version";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["init"] => capture(),
        ["version" | "--version"] => version(),
        _ => bail!("{USAGE}"),
    }
}

fn capture() -> anyhow::Result<()> {
    let lookup = bootstrap::environment;
    bootstrap::start_log(&lookup)?;
    let settings = init::Settings::read(&lookup)?;
    init::capture(&settings).context("connections of this pod are not captured")?;
    tracing::info!("connections of this pod are captured");
    Ok(())
}

fn version() -> anyhow::Result<()> {
    use std::io::Write;
    writeln!(
        std::io::stdout(),
        "weft-proxy {}",
        env!("CARGO_PKG_VERSION")
    )?;
    Ok(())
}
