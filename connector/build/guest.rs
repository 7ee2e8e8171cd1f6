//! Compiles guests to WebAssembly: for the build script those that ship, for the tests those that attack.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds `package` of the workspace in `folder` and gives back where its module is. All it needs is the target
/// `wasm32-unknown-unknown`, which `rust-toolchain.toml` names.
///
/// # Panics
///
/// If it does not compile; cargo has said why.
pub(crate) fn build(folder: &Path, target: &Path, package: &str) -> PathBuf {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(folder)
        .args(["build", "--release", "--locked", "--target", "wasm32-unknown-unknown", "--package", package])
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
        "could not build the guest {package}: see above; if the target is missing: rustup target add wasm32-unknown-unknown"
    );
    target.join(format!("wasm32-unknown-unknown/release/{}.wasm", package.replace('-', "_")))
}
