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
/// The kubeconfig that the user named, if any.
#[allow(
    clippy::disallowed_methods,
    reason = "the settings of these tasks are read in this file"
)]
pub(crate) fn named_kubeconfig() -> Option<PathBuf> {
    std::env::var("KUBECONFIG")
        .ok()
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}

/// The search path for programs, with one more directory at its front.
#[allow(
    clippy::disallowed_methods,
    reason = "the settings of these tasks are read in this file"
)]
pub(crate) fn path_with(directory: Option<PathBuf>) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    directory.map_or_else(
        || path.clone(),
        |directory| format!("{}:{path}", directory.display()),
    )
}
