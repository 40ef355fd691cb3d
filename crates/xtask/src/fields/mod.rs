//! Keeps `proxy/src/file/fields.txt`: which of Envoy's fields a bootstrap file may have, with the
//! numbers and types of Envoy's own descriptors.
//!
//! The marks in front of the fields are written by hand and kept; all the rest is regenerated.

mod describe;
mod marks;

use std::path::PathBuf;

use anyhow::{Context, Result};
use describe::Descriptors;
use marks::Marks;
use prost::Message;
use prost_types::FileDescriptorSet;
use serde_json::Value;

use crate::{command, place};

/// The file as it should be, beside its path.
pub(crate) fn file() -> Result<(PathBuf, String)> {
    let path = place::repository().join("proxy/src/file/fields.txt");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let descriptors = Descriptors::new(&descriptors()?);
    let fresh = descriptors.table(&Marks::read(&text))?;
    Ok((path, fresh))
}

/// The descriptors that come with the package of Envoy's messages.
fn descriptors() -> Result<FileDescriptorSet> {
    let mut cargo = command::words(
        "cargo metadata --format-version 1 --locked --offline --filter-platform x86_64-unknown-linux-gnu",
    );
    let text = command::output(cargo.current_dir(place::repository()))?;
    let metadata: Value = serde_json::from_str(&text)?;
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    let manifest = packages
        .find(|package| package["name"] == "envoy-types")
        .and_then(|package| package["manifest_path"].as_str())
        .context("the workspace does not use envoy-types")?;
    let path = PathBuf::from(manifest).with_file_name("src/generated/types.bin");
    let bytes = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    Ok(FileDescriptorSet::decode(&bytes[..])?)
}
