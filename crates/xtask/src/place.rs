//! Where things lie: the repository and the build directory.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("this crate lies in crates/xtask")
}

/// Cargo's build directory, which also holds all that these tasks build.
#[allow(
    clippy::disallowed_methods,
    reason = "the settings of these tasks are read in this file"
)]
pub(crate) fn target() -> PathBuf {
    std::env::var("CARGO_TARGET_DIR").map_or_else(|_| repository().join("target"), PathBuf::from)
}
