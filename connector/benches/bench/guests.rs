//! Guests that do not ship, compiled for the bench.

use std::path::{Path, PathBuf};

#[path = "../../build/guest.rs"]
mod guest;

/// The guest of the tests that breaks every rule, when it is told to.
pub(crate) fn hostile() -> PathBuf {
    build("tests/guests/hostile", "hostile")
}

/// Gives each value back as a line.
pub(crate) fn identity() -> PathBuf {
    build("benches/identity", "identity")
}

fn build(folder: &str, package: &str) -> PathBuf {
    let target = Path::new(env!("SLUICE_GUEST_SPLIT_CONCAT")).ancestors().nth(3).unwrap();
    guest::build(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), target, package)
}
