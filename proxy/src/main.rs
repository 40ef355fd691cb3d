//! `weft-proxy`: the sidecar. See [`weft_proxy`] for what it is made of.

use anyhow::{Context, Result, anyhow};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use weft_proxy::bootstrap::{self, Bootstrap, Standalone};
use weft_proxy::{file, health, init, sidecar, standalone};

/// Gives memory back to the system sooner than the C library's allocator does.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const USAGE: &str = "usage: weft-proxy run | run -c FILE [--concurrency WORKERS] | validate -c FILE | \
     init | wait | version";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["run"] => run(),
        ["run", "-c", file] => run_file(Path::new(file), None),
        ["run", "-c", file, "--concurrency", workers]
        | ["run", "--concurrency", workers, "-c", file] => run_file(Path::new(file), Some(workers)),
        ["validate", "-c", file] => validate(Path::new(file)),
        ["init"] => capture(),
        ["wait"] => wait(),
        ["version" | "--version"] => version(),
        _ => Err(anyhow!("{USAGE}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever started us may have closed it; the exit code says it too.
            let _ = writeln!(std::io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let lookup = bootstrap::environment;
    bootstrap::start_log(&lookup)?;
    let bootstrap = Bootstrap::read(&lookup, &bootstrap::pod_labels())?;
    runtime()?.block_on(sidecar::run(bootstrap))
}

fn run_file(file: &Path, workers: Option<&str>) -> Result<()> {
    let lookup = bootstrap::environment;
    bootstrap::start_log(&lookup)?;
    let lookup = |name: &str| match (name, workers) {
        ("WEFT_CONCURRENCY", Some(workers)) => Some(workers.to_owned()),
        _ => lookup(name),
    };
    let settings = Standalone::read(&lookup)?;
    let loaded = file::load(file)?;
    for warning in &loaded.warnings {
        tracing::warn!("{}", warning.text(file));
    }
    runtime()?.block_on(standalone::run(loaded, settings.workers, settings.drain))
}

fn validate(file: &Path) -> Result<()> {
    let loaded = file::load(file)?;
    let mut out = std::io::stdout();
    for warning in &loaded.warnings {
        writeln!(out, "warning: {}", warning.text(file))?;
    }
    writeln!(out, "{} can be run", file.display())?;
    Ok(())
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
