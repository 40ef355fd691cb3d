//! `weft-proxy`: the sidecar. See [`weft_proxy`] for what it is made of.

use anyhow::{Context, Result, bail};
use std::io::Write;
use std::time::Duration;
use weft_proxy::bootstrap::{self, Bootstrap};
use weft_proxy::{health, init, sidecar};

/// Gives memory back to the system sooner than the C library's allocator does.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const USAGE: &str = "usage: weft-proxy run | init | wait | version";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["run"] => run(),
        ["init"] => capture(),
        ["wait"] => wait(),
        ["version" | "--version"] => version(),
        _ => bail!("{USAGE}"),
    }
}

fn run() -> Result<()> {
    let lookup = bootstrap::environment;
    bootstrap::start_log(&lookup)?;
    let bootstrap = Bootstrap::read(&lookup, &bootstrap::pod_labels())?;
    runtime()?.block_on(sidecar::run(bootstrap))
}

fn capture() -> Result<()> {
    let lookup = bootstrap::environment;
    bootstrap::start_log(&lookup)?;
    let settings = init::Settings::read(&lookup)?;
    init::capture(&settings).context("connections of this pod are not captured")?;
    tracing::info!("connections of this pod are captured");
    Ok(())
}

/// Returns once the proxy beside us is ready: the hook that lets a classic sidecar start first.
fn wait() -> Result<()> {
    runtime()?.block_on(async {
        while !health::is_ready(health::HEALTH_PORT).await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    })
}

fn version() -> Result<()> {
    writeln!(
        std::io::stdout(),
        "weft-proxy {}",
        env!("CARGO_PKG_VERSION")
    )?;
    Ok(())
}

/// One thread for the control side; workers have their own.
fn runtime() -> Result<tokio::runtime::Runtime> {
    let built = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    built.context("start the event loop")
}
