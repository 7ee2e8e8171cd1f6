//! The second gate: compiling, here or in a process of its own that may be killed.
//!
//! Cranelift can't be interrupted, and a module within every limit of its structure may still take it minutes or gigabytes. So a
//! running connector compiles in a child: the same program as `sluice compile`, without our environment (there may be secrets in it),
//! with limits of its own on CPU time and address space, and a clock that runs here. Whatever happens to it is a refused module.
//!
//! What the child has refused comes back as an exit code and words on standard error, machine code on standard output.

pub mod child;

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use wit_component::ComponentEncoder;

use super::load_error::{LoadError, Refusal};
use crate::config::CompileLimits;
use crate::stop::Stop;

/// Machine code is two to three times as large as the module. Past this it is a bomb of another kind.
const CODE_MAX_BYTES: u64 = 512 * 1024 * 1024;

/// The last words of a compiler that are read; the rest is thrown away.
const WORDS_MAX_BYTES: u64 = 16 * 1024;

/// The compiler recurses over what modules nest.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// Threads of a child. More would take address space, and CPU time from the data path.
const THREADS_MAX: usize = 8;

/// How often a child that has said everything is asked whether it has ended: it has nothing left to do but that.
const REAP_PAUSE: Duration = Duration::from_millis(1);

/// The child's way to say that it could not work at all: confine itself, read, write. Its words say what, as for all codes.
const CODE_FAILED: u8 = 1;

/// How often it is asked whether the program stops, while the child is waited for.
const STOP_POLL: Duration = Duration::from_millis(20);

/// The child's way to say that the module has no component type.
const CODE_NOT_ENCODABLE: u8 = 10;

/// The child's way to say that the module does not compile.
const CODE_REFUSED: u8 = 11;

/// What Rust, the C library and the system say when there is no memory left.
const NO_MEMORY: [&str; 4] = ["memory allocation of", "Cannot allocate memory", "out of memory", "os error 12"];

/// Where modules are compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compiler {
    /// In this process: for commands that somebody waits for and can interrupt.
    InProcess,
    /// In a process of its own.
    Child {
        /// The program, which has to have the command `compile` as ours has.
        program: PathBuf,
        /// What it may use.
        limits: CompileLimits,
    },
}

/// How a child has ended.
#[derive(Debug)]
struct Ended {
    /// `None` if it was killed because its time was over.
    status: Option<ExitStatus>,
    code: Vec<u8>,
    words: String,
}

/// A child that does not outlive its handling, not even if that panics.
struct Running(Child);

// === impl Compiler ===

impl Compiler {
    /// A child that is this very program.
    ///
    /// # Errors
    ///
    /// If the system does not say where the program is.
    pub fn this_program(limits: CompileLimits) -> io::Result<Self> {
        // On Linux the program that runs, even if its file was replaced meanwhile.
        let program = if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { std::env::current_exe()? };
        Ok(Self::Child { program, limits })
    }
}

/// The component in the bytes of a module: these themselves, or made of a core module, as `cargo build --target
/// wasm32-unknown-unknown` gives it.
///
/// # Errors
///
/// If it is a core module that is not valid, or that carries no component type.
pub(super) fn component_of<'a>(engine: &wasmtime::Engine, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, Refusal> {
    if wasmparser::Parser::is_component(bytes) {
        return Ok(Cow::Borrowed(bytes));
    }
    // First, because the encoder panics at a module that was cut off.
    wasmtime::Module::validate(engine, bytes).map_err(|error| Refusal::Compile(format!("{error:#}")))?;
    ComponentEncoder::default()
        .validate(true)
        .module(bytes)
        .and_then(|encoder| encoder.encode())
        .map(Cow::Owned)
        .map_err(|error| Refusal::NotEncodable(format!("{error:#}")))
}

/// Has a child make machine code of a module.
///
/// # Errors
///
/// If the child refuses the module, exceeds a limit, crashes, can't be started, or `stop` is said meanwhile.
pub(super) fn in_child(
    program: &Path,
    limits: &CompileLimits,
    stop: &Stop,
    name: &str,
    module: &[u8],
) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Compiler { name: name.to_owned(), program: program.into(), source };
    let ended = start(program, limits).and_then(|child| attend(child, limits.timeout, stop, module)).map_err(failed)?;
    // However it has ended then: perhaps because we did it.
    if stop.is_set() {
        return Err(LoadError::Stopped { name: name.to_owned() });
    }
    ended.ran().map_err(failed)?.judge(name, limits)
}

fn start(program: &Path, limits: &CompileLimits) -> io::Result<Child> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    Command::new(program)
        .arg("compile")
        .args(["--timeout-ms", &limits.timeout.as_millis().to_string()])
        .args(["--memory-max-bytes", &limits.memory_max_bytes.to_string()])
        .args(["--parent", &std::process::id().to_string()])
        .env_clear()
        .env("RUST_MIN_STACK", STACK_BYTES.to_string())
        .env("RAYON_NUM_THREADS", threads.to_string())
        // Ctrl-C is for us: a module that is being compiled then must not seem to have crashed the compiler.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// Gives the child its module, takes what it says, and ends it when its time is over or `stop` is said.
fn attend(mut child: Child, timeout: Duration, stop: &Stop, module: &[u8]) -> io::Result<Ended> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
        drop(Running(child));
        return Err(io::Error::other("its pipes are missing"));
    };
    let deadline = Instant::now() + timeout;
    thread::scope(|scope| {
        // Within the scope, which waits for its threads: they end when the child does.
        let mut running = Running(child);
        let (told, hears) = sync_channel(1);
        // A child that ended before it has read everything has said why.
        thread::Builder::new().spawn_scoped(scope, move || drop(stdin.write_all(module)))?;
        let words = thread::Builder::new().spawn_scoped(scope, move || last_words(stderr))?;
        thread::Builder::new().spawn_scoped(scope, move || {
            let mut code = Vec::new();
            let read = stdout.take(CODE_MAX_BYTES + 1).read_to_end(&mut code);
            // Nobody hears it if the time is over.
            let _ = told.send(read.map(|_| code));
        })?;
        let over = || stop.is_set() || Instant::now() >= deadline;
        let code = loop {
            match hears.recv_timeout(STOP_POLL.min(deadline.saturating_duration_since(Instant::now()))) {
                Ok(read) => break read?,
                Err(RecvTimeoutError::Timeout) if !over() => {}
                Err(_) => break Vec::new(),
            }
        };
        let status = running.end_when(over)?;
        let words = words.join().unwrap_or_default();
        Ok(Ended { status, code, words })
    })
}

/// What the child has to say, cut; read to its end so that the child never waits.
fn last_words(mut stderr: ChildStderr) -> String {
    let mut words = Vec::new();
    let read = stderr.by_ref().take(WORDS_MAX_BYTES).read_to_end(&mut words);
    if read.is_ok() {
        // What is left is lost on purpose.
        let _ = io::copy(&mut stderr, &mut io::sink());
    }
    String::from_utf8_lossy(&words).trim().to_owned()
}

// === impl Running ===

impl Running {
    /// Waits until it has ended, and ends it when its time is `over`: `None` then.
    fn end_when(&mut self, over: impl Fn() -> bool) -> io::Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Some(status));
            }
            if over() {
                self.0.kill()?;
                self.0.wait()?;
                return Ok(None);
            }
            thread::sleep(REAP_PAUSE);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended and was waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

// === impl Ended ===

impl Ended {
    /// Itself, unless it never came to the module.
    fn ran(self) -> io::Result<Self> {
        match self.status.and_then(|status| status.code()) {
            Some(code) if code == i32::from(CODE_FAILED) && !self.wants_memory() => Err(io::Error::other(self.words)),
            _ => Ok(self),
        }
    }

    fn wants_memory(&self) -> bool {
        NO_MEMORY.iter().any(|words| self.words.contains(words))
    }

    /// Its machine code, or what to tell of the module.
    fn judge(self, name: &str, limits: &CompileLimits) -> Result<Vec<u8>, LoadError> {
        let timeout =
            || LoadError::CompileTimeout { name: name.to_owned(), timeout_ms: limits.timeout.as_millis() as u64 };
        let Some(status) = self.status else { return Err(timeout()) };
        if self.code.len() as u64 > CODE_MAX_BYTES {
            let reason = format!("its machine code is larger than {} MiB", CODE_MAX_BYTES >> 20);
            return Err(Refusal::Compile(reason).of(name));
        }
        let code = status.code();
        if code == Some(0) {
            return Ok(self.code);
        }
        let killed_by = |signal: Signal| status.signal() == Some(signal.as_raw());
        if killed_by(Signal::XCPU) {
            return Err(timeout());
        }
        // Whoever kills it, if not we, is the system for want of memory.
        if killed_by(Signal::KILL) || self.wants_memory() {
            let (name, memory_max_bytes) = (name.to_owned(), limits.memory_max_bytes);
            return Err(LoadError::CompileMemory { name, memory_max_bytes, reason: self.how(status).into() });
        }
        match code {
            Some(code) if code == i32::from(CODE_NOT_ENCODABLE) => Err(Refusal::NotEncodable(self.words).of(name)),
            Some(code) if code == i32::from(CODE_REFUSED) => Err(Refusal::Compile(self.words).of(name)),
            _ => {
                let (name, memory_max_bytes) = (name.to_owned(), limits.memory_max_bytes);
                Err(LoadError::CompileCrash { name, memory_max_bytes, reason: self.how(status).into() })
            }
        }
    }

    /// The way it ended and what it said, on one line.
    fn how(&self, status: ExitStatus) -> String {
        let words: Vec<&str> = self.words.lines().map(str::trim).filter(|line| !line.is_empty()).take(4).collect();
        let words = if words.is_empty() { "it said nothing".to_owned() } else { words.join(" ") };
        super::host::printable(&format!("{status}: {words}"))
    }
}

#[cfg(test)]
mod tests;
