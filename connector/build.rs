//! Compiles the shipped transforms to WebAssembly, so that `builtin:<name>` needs no file.
//!
//! They are a workspace of their own with its own lock file and target.

#[path = "build/guest.rs"]
mod guest;

use std::env;
use std::path::{Path, PathBuf};

/// Crate name, and the variable that tells `transform::builtin` where the module is.
const GUESTS: &[(&str, &str)] = &[("split-concat", "SLUICE_GUEST_SPLIT_CONCAT")];

fn main() {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("..");
    let transforms = root.join("transforms");
    for watched in ["Cargo.toml", "Cargo.lock", "sluice-transform", "split-concat"] {
        println!("cargo::rerun-if-changed={}", transforms.join(watched).display());
    }
    println!("cargo::rerun-if-changed={}", root.join("wit").display());
    println!("cargo::rerun-if-env-changed=SLUICE_COMMIT");
    let target = guests_target(&PathBuf::from(env::var("OUT_DIR").expect("cargo sets it")));
    for (name, variable) in GUESTS {
        let module = guest::build(&transforms, &target, name);
        println!("cargo::rustc-env={variable}={}", module.display());
    }
}

/// One folder for all profiles and for clippy, so that the guests and their macros are compiled once: `guests` in the host's
/// target folder, of which cargo's `OUT_DIR` is `<profile>/build/<package>/out`.
fn guests_target(out_dir: &Path) -> PathBuf {
    out_dir.ancestors().nth(4).unwrap_or(out_dir).join("guests")
}
