use super::*;

const LIMITS: CompileLimits = CompileLimits { timeout: Duration::from_millis(1500), memory_max_bytes: 1 << 28 };

/// As `waitpid` gives it.
fn exited(code: i32) -> Option<ExitStatus> {
    Some(ExitStatus::from_raw(code << 8))
}

fn killed(signal: Signal) -> Option<ExitStatus> {
    Some(ExitStatus::from_raw(signal.as_raw()))
}

fn judged(status: Option<ExitStatus>, words: &str) -> Result<Vec<u8>, LoadError> {
    Ended { status, code: b"code".to_vec(), words: words.to_owned() }.judge("suspect.wasm", &LIMITS)
}

#[track_caller]
fn refused(status: Option<ExitStatus>, words: &str, told: &[&str]) -> LoadError {
    let error = judged(status, words).unwrap_err();
    let text = error.to_string();
    for word in [&["suspect.wasm"], told].concat() {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
    error
}

#[test]
fn machine_code_counts_only_from_a_child_that_ended_well() {
    assert_eq!(judged(exited(0), "").unwrap(), b"code");
    for status in [exited(1), exited(101), killed(Signal::SEGV), None] {
        judged(status, "").unwrap_err();
    }
}

#[test]
fn a_refusal_is_told_as_if_it_was_found_here() {
    let error = refused(exited(i32::from(CODE_NOT_ENCODABLE)), "no metadata", &["component type", "no metadata"]);
    assert!(matches!(error, LoadError::NotEncodable { .. }), "{error:?}");
    let error =
        refused(exited(i32::from(CODE_REFUSED)), "bad \x1b[2J type", &["could not be compiled", "bad \\u{1b}[2J"]);
    assert!(matches!(error, LoadError::Compile { .. }), "{error:?}");
}

#[test]
fn too_much_time_names_its_setting() {
    for status in [None, killed(Signal::XCPU)] {
        let error = refused(status, "", &["transform.compile.timeout.ms=1500"]);
        assert!(matches!(error, LoadError::CompileTimeout { .. }), "{error:?}");
    }
}

#[test]
fn too_much_memory_names_its_setting() {
    let rust = "memory allocation of 218103824 bytes failed";
    let system = "mmap failed: Cannot allocate memory (os error 12)";
    let c_library = "Fatal glibc error: failed to register TLS destructor: out of memory";
    for (status, words) in [
        (killed(Signal::ABORT), rust),
        (exited(i32::from(CODE_REFUSED)), system),
        (exited(127), c_library),
        (killed(Signal::KILL), ""),
    ] {
        let error = refused(status, words, &["transform.compile.memory.max.bytes=268435456", words]);
        assert!(matches!(error, LoadError::CompileMemory { .. }), "{error:?}");
    }
}

#[test]
fn a_crash_is_told_with_its_last_words_on_one_line() {
    let words = "thread 'main' panicked at compiler.rs:1:\n  index out of bounds\nnote: run with";
    let error = refused(exited(101), words, &["crashed", "exit status: 101", "compiler.rs:1: index out of bounds"]);
    assert!(matches!(error, LoadError::CompileCrash { .. }) && !error.to_string().contains('\n'), "{error:?}");
    refused(
        killed(Signal::SEGV),
        "",
        &["crashed", "signal: 11", "it said nothing", "transform.compile.memory.max.bytes"],
    );
}

#[test]
fn a_child_that_could_not_begin_is_no_fault_of_the_module() {
    let ended = |code, words: &str| Ended { status: exited(code), code: Vec::new(), words: words.to_owned() };
    let error = ended(1, "Operation not permitted (os error 1)").ran().unwrap_err();
    assert!(error.to_string().contains("not permitted"), "{error}");
    ended(1, "Cannot allocate memory (os error 12)").ran().unwrap();
    ended(0, "").ran().unwrap();
    ended(11, "invalid").ran().unwrap();
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let error = in_child(Path::new("/nowhere/sluice"), &LIMITS, &Stop::default(), "suspect.wasm", b"").unwrap_err();
    assert!(matches!(error, LoadError::Compiler { .. }) && error.to_string().contains("/nowhere/sluice"), "{error}");
}
