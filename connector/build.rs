//! Compiles the shipped transforms to WebAssembly, so that `builtin:<name>` needs no file.
//!
//! They are a workspace of their own with its own lock file and target; all this file needs is the target
//! `wasm32-unknown-unknown`, which `rust-toolchain.toml` names.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    let target = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it")).join("guests");
    for (name, variable) in GUESTS {
        build(&transforms, &target, name);
        let module = target.join(format!("wasm32-unknown-unknown/release/{}.wasm", name.replace('-', "_")));
        println!("cargo::rustc-env={variable}={}", module.display());
    }
}

fn build(transforms: &Path, target: &Path, name: &str) {
    let mut cargo = Command::new(env::var("CARGO").expect("cargo sets it"));
    cargo
        .current_dir(transforms)
        .args(["build", "--release", "--locked", "--target", "wasm32-unknown-unknown", "--package", name])
        .arg("--target-dir")
        .arg(target);
    // What is set for the host's build, clippy's wrapper above all, is not meant for the guests'.
    for (variable, _) in env::vars() {
        let for_host =
            variable.starts_with("CARGO_") && !matches!(variable.as_str(), "CARGO_HOME" | "CARGO_NET_OFFLINE");
        if for_host
            || ["RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CLIPPY_ARGS"].contains(&variable.as_str())
        {
            cargo.env_remove(variable);
        }
    }
    let status = cargo.status().expect("cargo runs, as it does right now");
    assert!(
        status.success(),
        "could not build the transform {name}: see above; if the target is missing: rustup target add wasm32-unknown-unknown"
    );
}
