//! The house rules that neither compiler nor clippy knows.
//!
//! Each rule is a pure function from text to complaints; [`run`] feeds them and prints what they say.

mod layers;
mod source;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::{codegen, command, place};

/// Fails with every complaint at once.
pub(crate) fn run() -> Result<()> {
    let mut complaints = layers::check(&layers::Graph::of_the_workspace()?);
    for file in sources()? {
        let text = std::fs::read_to_string(place::repository().join(&file))?;
        complaints.extend(source::check(&file, &text));
    }
    complaints.extend(
        codegen::stale()?
            .into_iter()
            .map(|file| format!("{file}: stale; run `cargo xtask codegen`")),
    );
    if !complaints.is_empty() {
        bail!("the house rules are broken:\n  {}", complaints.join("\n  "));
    }
    Ok(())
}

/// Each Rust file that git knows or would add.
fn sources() -> Result<Vec<PathBuf>> {
    let mut list = command::words("git ls-files --cached --others --exclude-standard *.rs");
    let listed = command::output(list.current_dir(place::repository()))?;
    Ok(listed
        .lines()
        .map(PathBuf::from)
        .filter(|file| exists(file))
        .collect())
}

fn exists(file: &Path) -> bool {
    place::repository().join(file).exists()
}
