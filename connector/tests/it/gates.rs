//! The gates of a module: hostile ones that were made for each of them are refused, and nothing else happens.
//!
//! What is no transform, by its imports and exports, is in `sandbox/load.rs`; the limits of the structure are tested from both sides
//! beside it (`transform/structure/tests.rs`).

mod cache;
mod child;
pub(crate) mod wasm;

use std::path::PathBuf;
use std::time::Duration;

use sluice::config::{CompileLimits, ModuleRef};
use sluice::transform::compile::Compiler;
use sluice::transform::engine::LoadError;
use sluice::transform::loader::{self, Loader};
use sluice::transform::structure;

use crate::sandbox::{core, engine};
use crate::support::sluice::BINARY;

/// What compiling may take unless a test is about it: more than it does on any machine.
const AMPLE: CompileLimits = CompileLimits { timeout: Duration::from_secs(120), memory_max_bytes: 4 << 30 };

/// A loader that compiles in a child with these limits.
fn in_child(limits: CompileLimits) -> Loader {
    Loader::new(engine().clone(), Compiler::Child { program: PathBuf::from(BINARY), limits }, None)
}

/// A loader whose compiler would be noticed if it was asked: there is none.
fn without_compiler() -> Loader {
    let compiler = Compiler::Child { program: PathBuf::from("/nowhere/sluice"), limits: AMPLE };
    Loader::new(engine().clone(), compiler, None)
}

/// A module of the size of a real one.
fn shipped() -> Vec<u8> {
    loader::read(&ModuleRef::Builtin("split-concat".to_owned())).unwrap().1.into_owned()
}

#[track_caller]
fn refused(loader: &Loader, module: &[u8], words: &[&str]) -> LoadError {
    let error = loader.load("suspect.wasm", module).map(|loaded| loaded.structure).unwrap_err();
    let text = error.to_string();
    for word in [&["suspect.wasm"], words].concat() {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
    error
}

#[test]
fn too_much_of_anything_is_refused_without_a_compiler() {
    let cases = [
        (wasm::module(&"(func)".repeat(100_001)), "100001 functions, and 100000 are allowed"),
        (wasm::module(&format!("(func {})", "nop ".repeat(1 << 20))), "1048578 bytes in one function, and 1048576"),
        (wasm::module(&r#"(data "")"#.repeat(40_000)), "40000 data segments, and 10000 are allowed"),
        (wasm::nested(9), "9 levels of modules inside of each other, and 8 are allowed"),
        (
            vec![wasm::module(""); 100].iter().fold(wasm::component(&[]), |all, one| wasm::with(all, 1, one)),
            "101 modules",
        ),
        ([wasm::module(""), vec![0; 32 << 20]].concat(), "33554440 bytes, and 33554432 are allowed"),
    ];
    for (module, words) in cases {
        let error = refused(&without_compiler(), &module, &["before it was compiled", words]);
        assert!(matches!(error, LoadError::Structure { .. }), "{error:?}");
        // Commands that compile in their own process have the gate as well.
        let error = engine().load_bytes("suspect.wasm", &module).map(drop).unwrap_err();
        assert!(matches!(error, LoadError::Structure { .. }), "{error:?}");
    }
    // Else the others would prove nothing.
    let error = refused(&without_compiler(), &shipped(), &["/nowhere/sluice"]);
    assert!(matches!(error, LoadError::Compiler { .. }), "{error:?}");
}

#[test]
fn a_module_that_is_cut_off_anywhere_is_refused() {
    let small = wasm::component(&[(1, wasm::module(r#"(func) (memory 1) (data "abc")"#))]);
    for (module, step) in [(small.as_slice(), 1), (core(), 211)] {
        for length in (0..module.len()).step_by(step) {
            let cut = &module[..length];
            let error = engine().load_bytes("suspect.wasm", cut).map(drop).unwrap_err();
            let (not_wasm, whole) = (matches!(error, LoadError::NotWasm { .. }), structure::is_complete(cut));
            assert_eq!(not_wasm, length < 8, "{length}: {error}");
            // Where it seems whole, it lacks what comes later.
            assert!(whole || not_wasm || matches!(error, LoadError::Compile { .. }), "{length}: {error:?}");
        }
    }
    let half = &core()[..core().len() / 2];
    refused(&without_compiler(), half, &["damaged or was cut off at byte", "copy it again"]);
}

#[test]
fn a_module_that_differs_in_a_custom_section_only_is_another_and_loads() {
    let (plain, marked) = (shipped(), wasm::with(shipped(), 0, b"\x04note\x01"));
    let loader = in_child(AMPLE);
    let [plain, marked] = [&plain, &marked].map(|module| loader.load("either.wasm", module).unwrap());
    assert_ne!(plain.module.digest(), marked.module.digest());
    assert_eq!(marked.module.digest(), loader::digest(&wasm::with(shipped(), 0, b"\x04note\x01")));
    assert_eq!(
        (plain.structure.functions, plain.structure.sections + 1),
        (marked.structure.functions, marked.structure.sections)
    );
}
