//! Whatever is no transform is refused when it is loaded, by the rule that it breaks.

use std::fs::File;
use std::path::Path;

use sluice::config::ModuleRef;
use sluice::transform::engine::{LoadError, Module};

use super::guest::{LIMITS, both, component, core, engine, lines, load, replaced, run, start, values};

/// The log import of the hostile guest. The others have its length.
const LOG: &str = "sluice:transform/log@1.0.0";

/// A core module that exports `run` and knows nothing of components.
const PLAIN: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x07\x07\x01\x03run\0\0\x0a\x04\x01\x02\0\x0b";

/// A component with nothing in it.
const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

#[track_caller]
fn refused(module: &[u8], words: &[&str]) -> LoadError {
    let error = engine().load_bytes("suspect.wasm", module).map(|module| module.digest().to_owned()).unwrap_err();
    let text = error.to_string();
    for word in [&["suspect.wasm"], words].concat() {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
    error
}

#[test]
fn what_is_not_webassembly_is_told_by_its_beginning() {
    let text = b"#!/usr/bin/env python3\nprint(1)\n";
    assert!(matches!(
        refused(text, &["not WebAssembly", "#!/usr/bin/env", "transform.module"]),
        LoadError::NotWasm { .. }
    ));
    assert!(matches!(refused(b"", &["not WebAssembly", "empty"]), LoadError::NotWasm { .. }));
    // An escape sequence does not reach the terminal, and a future version is not taken for ours.
    assert!(matches!(refused(b"\x1b[2Jasm", &[r"\x1b[2Jasm"]), LoadError::NotWasm { .. }));
    assert!(matches!(refused(b"\0asm\x02\0\0\0", &[r"\x00asm\x02"]), LoadError::NotWasm { .. }));
}

#[test]
fn a_module_that_was_cut_off_does_not_compile() {
    for module in [core(), component()] {
        for length in [9, module.len() / 2, module.len() - 1] {
            let error = refused(&module[..length], &["could not be compiled"]);
            assert!(matches!(error, LoadError::Compile { .. }), "{length}: {error:?}");
        }
    }
}

#[test]
fn a_core_module_without_our_component_type_is_refused() {
    let stripped = replaced(core(), "component-type:", "component-typo:");
    let error = refused(&stripped, &["carries no component type", "sluice:transform", "wit/transform.wit"]);
    assert!(matches!(error, LoadError::NotEncodable { .. }), "{error:?}");
    refused(PLAIN, &["wit/transform.wit"]);
    refused(&PLAIN[..8], &["wit/transform.wit"]);
}

#[test]
fn a_component_of_another_world_is_refused_by_what_it_lacks() {
    refused(EMPTY_COMPONENT, &["not a transform", "no export `configure`, nor any other", "wit/transform.wit"]);
    // The names of exports are prefixed with their length, and both have nine letters.
    let (configure, transform) = ("\tconfigure", "\ttransform");
    refused(
        &replaced(component(), transform, "\ttransfarm"),
        &["not a transform", "no export `transform`, but `configure`, `transfarm`"],
    );
    let swapped = replaced(component(), configure, "\tcanfigure");
    let swapped = replaced(&replaced(&swapped, transform, configure), "\tcanfigure", transform);
    let error = refused(&swapped, &["not a transform", "its export `configure` has another type"]);
    assert!(matches!(error, LoadError::World { .. }), "{error:?}");
}

#[test]
fn an_import_that_is_not_ours_is_named() {
    let import = "vendor:sockets/open@10.0.0";
    let words = ["not a transform", "it imports `vendor:sockets/open@10.0.0`", "nothing but sluice:transform/log"];
    refused(&replaced(component(), LOG, import), &words);
}

#[test]
fn wasi_may_be_imported_and_has_nothing_in_it() {
    let module = replaced(component(), LOG, "wasi:logging/logging@0.1.0");
    let mut transform = start(&load(&module), &[("mode", "flood-logs"), ("when", "strike")], LIMITS).unwrap();
    assert_eq!(lines(&run(&mut transform, &values(["a"])).unwrap()).len(), 1);
    let error = run(&mut transform, &values(["strike"])).unwrap_err().to_string();
    assert!(error.contains("wasi:logging/logging@0.1.0"), "{error}");
}

#[test]
fn a_larger_minor_version_is_accepted_and_another_major_is_not() {
    for module in [core(), component()] {
        // In a core module the version also stands in its component type.
        let minor = replaced(module, "@1.0.0", "@1.7.3");
        let mut transform = start(&load(&minor), &[("mode", "flood-logs")], LIMITS).unwrap();
        assert_eq!(lines(&run(&mut transform, &values(["a"])).unwrap()).len(), 1, "the log import is linked");
    }
    let major = replaced(component(), "@1.0.0", "@2.0.0");
    let error = refused(&major, &["sluice:transform@2.0.0", "this Sluice accepts 1.x"]);
    assert!(matches!(error, LoadError::World { .. }), "{error:?}");
}

#[test]
fn a_file_that_cannot_be_a_module_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let load_file = |path: &Path| engine().load(&ModuleRef::Path(path.to_owned())).map(drop).unwrap_err();
    let missing = load_file(&folder.path().join("missing.wasm"));
    assert!(matches!(missing, LoadError::Read { .. }) && missing.to_string().contains("missing.wasm"), "{missing}");
    let directory = load_file(folder.path());
    assert!(matches!(directory, LoadError::Read { .. }), "{directory}");
    let large = folder.path().join("large.wasm");
    File::create(&large).unwrap().set_len((32 << 20) + 1).unwrap();
    let error = load_file(&large);
    assert!(matches!(error, LoadError::TooLarge { bytes: 33_554_433, .. }), "{error}");
    assert!(error.to_string().contains("large.wasm") && error.to_string().contains("33554432"), "{error}");
    let digest = engine().load(&ModuleRef::Digest("00".to_owned())).map(drop).unwrap_err();
    assert!(digest.to_string().contains("sha256:00"), "{digest}");
}

#[test]
fn a_module_is_told_by_the_digest_of_its_file() {
    let [as_core, as_component] = both().each_ref().map(Module::digest);
    assert!(as_core.len() == 64 && as_core != as_component);
    assert_eq!(engine().load_bytes("other", core()).unwrap().digest(), as_core);
}
