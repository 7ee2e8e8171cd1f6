//! Compiles the shipped transforms to WebAssembly, so that `builtin:<name>` needs no file, and lists the files of the SDK, which
//! `sluice new` hands out.
//!
//! They are a workspace of their own with its own lock file and target.

#[path = "build/guest.rs"]
mod guest;

use std::path::{Path, PathBuf};
use std::{env, fs};

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
    let out_dir = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    fs::write(out_dir.join("sdk.rs"), sdk(&transforms.join("sluice-transform/src")))
        .expect("cargo's folder can be written");
    let target = guests_target(&out_dir);
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

/// A constant `SDK` with each file of `folder`: its name and its text.
fn sdk(folder: &Path) -> String {
    let entries = fs::read_dir(folder).expect("the SDK is there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    files.sort();
    let file = |path: &PathBuf| {
        let name = path.file_name().expect("it is a file").to_string_lossy();
        format!("    ({name:?}, include_str!({:?})),\n", fs::canonicalize(path).expect("it is there"))
    };
    let files: String = files.iter().map(file).collect();
    format!("/// The files of the SDK's `src`.\nconst SDK: &[(&str, &str)] = &[\n{files}];\n")
}
