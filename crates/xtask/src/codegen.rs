//! Writes the CRDs from the Rust types: `crds/` for readers and `kubectl`, the chart's copy for Helm;
//! and the proxy's table of Envoy's fields from Envoy's descriptors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::{fields, place};

const HEADER: &str = "# Made by `cargo xtask codegen` from crates/api; do not edit.\n";

/// Writes them, or with `check` only says which are stale.
pub(crate) fn run(check: bool) -> Result<()> {
    let stale = stale()?;
    if check && !stale.is_empty() {
        bail!("stale: {}; run `cargo xtask codegen`", stale.join(", "));
    }
    if !check {
        write(&files()?)?;
    }
    Ok(())
}

/// The generated files that differ from what the types say now, or should not be there.
pub(crate) fn stale() -> Result<Vec<String>> {
    let files = files()?;
    let differs = |(path, text): (&PathBuf, &String)| {
        std::fs::read_to_string(path).map_or(true, |old| old != *text)
    };
    let mut stale: Vec<_> = files
        .iter()
        .filter(|file| differs(*file))
        .map(|(path, _)| relative(path))
        .collect();
    stale.extend(leftovers(&files)?.iter().map(|path| relative(path)));
    Ok(stale)
}

fn write(files: &BTreeMap<PathBuf, String>) -> Result<()> {
    for path in leftovers(files)? {
        std::fs::remove_file(path)?;
    }
    for (path, text) in files {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        std::fs::write(path, text)?;
    }
    Ok(())
}

fn files() -> Result<BTreeMap<PathBuf, String>> {
    let mut files = BTreeMap::from([fields::file()?]);
    for crd in weft_api::crds() {
        let text = format!(
            "{HEADER}{}",
            serde_saphyr::to_string(&serde_json::to_value(&crd)?)?
        );
        let name = format!("{}.{}.yaml", crd.spec.group, crd.spec.names.plural);
        for directory in directories() {
            files.insert(directory.join(&name), text.clone());
        }
    }
    Ok(files)
}

/// Files of kinds that are no more.
fn leftovers(files: &BTreeMap<PathBuf, String>) -> Result<Vec<PathBuf>> {
    let mut left = Vec::new();
    for directory in directories() {
        let Ok(entries) = std::fs::read_dir(directory) else {
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "yaml") && !files.contains_key(&path) {
                left.push(path);
            }
        }
    }
    Ok(left)
}

fn directories() -> [PathBuf; 2] {
    ["crds", "charts/weft/crds"].map(|directory| place::repository().join(directory))
}

fn relative(path: &Path) -> String {
    path.strip_prefix(place::repository())
        .unwrap_or(path)
        .display()
        .to_string()
}
