//! Modules that tests build.

use std::path::{Path, PathBuf};

#[path = "../../../build/guest.rs"]
mod build;

/// Where the build script has built the shipped transform: most of what other guests need is compiled there already.
pub(crate) fn target() -> &'static Path {
    Path::new(env!("SLUICE_GUEST_SPLIT_CONCAT")).ancestors().nth(3).unwrap()
}

/// Builds a package of the workspace in `folder`, and gives back where its module is.
pub(crate) fn build(folder: &Path, package: &str) -> PathBuf {
    build::build(folder, target(), package)
}
