//! Takes the descriptors of Envoy's messages from the package that has the messages.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a build script talks to cargo on its standard output and in its environment"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let from = envoy_types().join("src/generated/types.bin");
    let to = Path::new(&std::env::var("OUT_DIR").expect("cargo sets it")).join("types.bin");
    std::fs::copy(&from, &to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

/// Where cargo keeps the package `envoy-types`.
fn envoy_types() -> PathBuf {
    let cargo = std::env::var("CARGO").expect("cargo sets it");
    let target = std::env::var("TARGET").expect("cargo sets it");
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--offline"])
        // Packages of other platforms were never fetched.
        .arg(format!("--filter-platform={target}"))
        .output()
        .expect("cargo runs, it runs this");
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    let manifest = packages
        .find(|package| package["name"] == "envoy-types")
        .and_then(|package| package["manifest_path"].as_str())
        .expect("the workspace uses envoy-types");
    Path::new(manifest)
        .parent()
        .expect("a manifest stands in a folder")
        .to_owned()
}
