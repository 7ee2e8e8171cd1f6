//! The compiler's own process: what it costs is bounded, whatever happens to it is a refused module, and it has nothing of ours.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::process::Signal;

use super::*;
use crate::sandbox::replaced;
use crate::support::wait;

/// A program of ours that stands in for the compiler.
fn stand_in(name: &str, limits: CompileLimits) -> Loader {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/gates").join(name);
    Loader::new(engine().clone(), Compiler::Child { program, limits }, None)
}

#[test]
fn a_child_makes_the_same_module() {
    for module in [shipped(), core().to_vec()] {
        let loaded = in_child(AMPLE).load("sound.wasm", &module).unwrap();
        assert_eq!(loaded.module.digest(), engine().load_bytes("sound.wasm", &module).unwrap().digest());
        assert!(!loaded.cached && loaded.structure.functions > 10, "{loaded:?}");
        let took = loaded.took;
        assert!(![took.structure, took.compile, took.world].contains(&Duration::ZERO), "{took:?}");
    }
}

#[test]
fn a_compile_bomb_costs_its_own_refusal() {
    let bomb = wasm::bomb(300, 300);
    assert!(bomb.len() < 8192 && structure::check(&bomb).is_ok());
    let loader = in_child(CompileLimits { timeout: Duration::from_secs(1), ..AMPLE });
    let error = refused(&loader, &bomb, &["transform.compile.timeout.ms=1000"]);
    assert!(matches!(error, LoadError::CompileTimeout { .. }), "{error:?}");
    in_child(AMPLE).load("sound.wasm", &shipped()).unwrap();
}

#[test]
fn a_child_that_nobody_watches_is_ended_by_its_cpu_time() {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("bomb.wasm");
    std::fs::write(&module, wasm::bomb(300, 300)).unwrap();
    let arguments = ["compile", "--timeout-ms", "300", "--memory-max-bytes", "4294967296"];
    let output = Command::new(BINARY).args(arguments).stdin(File::open(&module).unwrap()).output().unwrap();
    assert_eq!(output.status.signal(), Some(Signal::XCPU.as_raw()), "{output:?}");
}

#[test]
fn a_module_that_needs_more_memory_than_allowed_is_refused() {
    let loader = in_child(CompileLimits { memory_max_bytes: 1 << 28, ..AMPLE });
    let error = refused(&loader, &wasm::bomb(3000, 3000), &["transform.compile.memory.max.bytes=268435456"]);
    assert!(matches!(error, LoadError::CompileMemory { .. }), "{error:?}");
    // The least that may be set is enough for what is sound.
    loader.load("sound.wasm", &shipped()).unwrap();
}

#[test]
fn a_refusal_by_the_child_says_what_it_would_say_here() {
    let no_type = replaced(core(), "component-type:", "component-typo:");
    let no_export = wasm::component(&[]);
    let invalid = wasm::component(&[(1, wasm::module("(func i32.add drop)"))]);
    let foreign = wasm::module(r#"(import "env" "open_socket" (func)) (func (export "run"))"#);
    for (module, words) in [
        (no_type, "component type"),
        (no_export, "no export `configure`"),
        (invalid, "type mismatch"),
        (foreign, "env"),
    ] {
        let here = engine().load_bytes("suspect.wasm", &module).map(drop).unwrap_err();
        let there = refused(&in_child(AMPLE), &module, &[words]);
        assert_eq!(there.to_string(), here.to_string());
    }
}

#[test]
fn a_child_that_does_nothing_is_ended_by_the_clock() {
    // It takes no CPU time, and does not even read the module, which is larger than a pipe.
    let limits = CompileLimits { timeout: Duration::from_millis(200), ..AMPLE };
    assert!(shipped().len() > 1 << 16);
    let started = Instant::now();
    let error = refused(&stand_in("never-ends.sh", limits), &shipped(), &["transform.compile.timeout.ms=200"]);
    assert!(matches!(error, LoadError::CompileTimeout { .. }), "{error:?}");
    // By itself it would have ended after ten times as long.
    assert!(started.elapsed() < wait::DEADLINE);
}

#[test]
fn a_child_sees_nothing_of_our_environment() {
    let error = refused(&stand_in("tell-environment.sh", AMPLE), &shipped(), &["RUST_MIN_STACK=", "the end of it"]);
    assert!(matches!(error, LoadError::CompileCrash { .. }), "{error:?}");
    let (text, mut checked) = (error.to_string(), 0);
    // A shell sets these for itself.
    for (name, value) in std::env::vars().filter(|(name, _)| !["PWD", "OLDPWD", "SHLVL", "_"].contains(&name.as_str()))
    {
        assert!(!text.contains(&format!("{name}={value}")), "{name} is in: {text}");
        checked += 1;
    }
    assert!(checked > 0);
}

#[test]
fn a_child_does_not_outlive_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("bomb.wasm");
    // Hours of work. Its CPU time ends what a failure of this test would leave.
    std::fs::write(&module, wasm::bomb(900, 900)).unwrap();
    let script = r#""$1" compile --timeout-ms 100000 --memory-max-bytes 8589934592 --parent $$ <"$2" >"$2.code" 2>/dev/null & echo $!; wait"#;
    let mut parent =
        Command::new("bash").args(["-c", script, "bash", BINARY]).arg(&module).stdout(Stdio::piped()).spawn().unwrap();
    let mut child = String::new();
    BufReader::new(parent.stdout.take().unwrap()).read_line(&mut child).unwrap();
    let (status, confined) = (format!("/proc/{}/status", child.trim()), format!("/proc/{}/limits", child.trim()));
    // It has confined itself, so it has asked for the signal.
    wait::until("the limits of the child", || {
        let limits = std::fs::read_to_string(&confined).unwrap();
        if limits.contains("8589934592") { Ok(()) } else { Err(limits) }
    });
    wait::until("no core files", || {
        let limits = std::fs::read_to_string(&confined).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap().to_owned();
        if core.split_whitespace().skip(4).take(2).eq(["0", "0"]) { Ok(()) } else { Err(core) }
    });
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait::until("the end of the child", || match std::fs::read_to_string(&status) {
        // Nobody may have waited for it yet: who inherits it is not ours.
        Ok(status) if !status.contains("State:\tZ") => Err(status),
        _ => Ok(()),
    });
}

#[test]
fn a_child_whose_parent_has_ended_before_does_nothing() {
    let arguments = ["compile", "--timeout-ms", "1000", "--memory-max-bytes", "1073741824", "--parent", "1"];
    let output = Command::new(BINARY).args(arguments).stdin(Stdio::null()).output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && words.contains("has ended"), "{words}");
}
