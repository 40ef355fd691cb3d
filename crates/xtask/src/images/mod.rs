//! Container images without a daemon, as OCI archives with reproducible digests: one static program each, `FROM scratch`,
//! and one image of five languages for the end-to-end tests.

mod oci;
mod polyglot;
mod root;
mod tar;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

pub(crate) use oci::{Image, write_archive};

use crate::command::{show, step, words};
use crate::place;

/// Our programs, each of which is an image `localhost/<program>:dev`.
pub(crate) const PROGRAMS: [&str; 5] = [
    "weft-operator",
    "weft-control",
    "weft-injector",
    PROXY,
    "weft-shop",
];

/// The program of every pod.
const PROXY: &str = "weft-proxy";

/// The image of the end-to-end tests' pods.
const ECHO: &str = "weft-echo";

/// The release image of the proxy runs in every pod, so its size is a promise.
const PROXY_LIMIT: u64 = 15_000_000;

/// The triple that .cargo/config.toml names.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// Builds the programs and writes one archive for each; answers with their paths.
///
/// # Errors
/// Says so when a program does not build or the proxy has grown too large.
pub(crate) fn build(profile: &str, programs: &[String]) -> Result<Vec<PathBuf>> {
    let programs = chosen(programs);
    step(format!("build {} ({profile})", programs.join(", ")));
    compile(profile, &programs)?;
    let directory = place::target().join("images").join(profile);
    std::fs::create_dir_all(&directory)?;
    programs
        .iter()
        .map(|program| archive(profile, program, &directory))
        .collect()
}

/// Where cargo puts a program.
pub(crate) fn built(profile: &str, program: &str) -> PathBuf {
    let folder = if profile == "dev" { "debug" } else { profile };
    place::target().join(TRIPLE).join(folder).join(program)
}

/// What the end-to-end tests need.
pub(crate) fn with_tests() -> Vec<String> {
    PROGRAMS
        .iter()
        .chain(&[ECHO, polyglot::NAME])
        .map(ToString::to_string)
        .collect()
}

fn chosen(programs: &[String]) -> Vec<&str> {
    if programs.is_empty() {
        PROGRAMS.to_vec()
    } else {
        programs.iter().map(String::as_str).collect()
    }
}

/// What ships is built with one call for the proxy, because Cargo gives all programs of a call the features that any of
/// them wants, and one for the rest; for a quick try one call builds what they share once.
fn compile(profile: &str, programs: &[&str]) -> Result<()> {
    let (proxy, rest): (Vec<_>, Vec<_>) = programs
        .iter()
        .partition(|program| profile != "dev" && **program == PROXY);
    for call in [rest, proxy] {
        if !call.is_empty() {
            show(&mut cargo_build(profile, &call))?;
        }
    }
    Ok(())
}

fn cargo_build(profile: &str, programs: &[&str]) -> Command {
    let mut command = words("cargo build --locked");
    command
        .args(["--profile", profile])
        .current_dir(place::repository());
    for program in programs {
        command.args(["-p", package(program)]);
    }
    command
}

fn package(program: &str) -> &str {
    if [ECHO, polyglot::NAME].contains(&program) {
        "weft-e2e"
    } else {
        program
    }
}

fn archive(profile: &str, program: &str, directory: &Path) -> Result<PathBuf> {
    let binary = built(profile, program);
    let path = directory.join(format!("{program}.tar"));
    let name = format!("localhost/{program}:dev");
    let image = Image {
        name: &name,
        program: &binary,
    };
    let digest = if program == polyglot::NAME {
        polyglot::archive(&name, &binary, &path)?
    } else {
        write_archive(&image, &path)?
    };
    let size = std::fs::metadata(&path)?.len();
    println!("  {name}  {:.1} MB  {digest}", size as f64 / 1e6);
    if program == PROXY && profile != "dev" && size > PROXY_LIMIT {
        bail!(
            "the image of weft-proxy has {size} bytes, more than the {PROXY_LIMIT} that are promised"
        );
    }
    Ok(path)
}
