//! Why a module can't be loaded, with what to do about it.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::host;
use super::structure::{self, StructureError};
use super::world::PACKAGE;

/// Why a module can't be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// No such built-in transform.
    #[error("there is no built-in transform `{name}`; this version has: {known}")]
    UnknownBuiltin {
        /// The name asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// A module that only a worker has, in its state folder.
    #[error(
        "module sha256:{digest} is kept in the state folder of a worker, which this command does not look into; give builtin:<name> or a file"
    )]
    UnknownDigest {
        /// The digest asked for.
        digest: String,
    },
    /// The file can't be read.
    #[error("could not read transform module {}; check transform.module", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The file is larger than any transform.
    #[error("transform module {} has {bytes} bytes, the limit is {}", path.display(), structure::BYTES_MAX)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// Not WebAssembly at all.
    #[error("transform module {name} is not WebAssembly: it starts with {start}; transform.module needs a .wasm file")]
    NotWasm {
        /// The module.
        name: String,
        /// Its first bytes, readable.
        start: String,
    },
    /// There is too much of something in it, so no compiler is asked.
    #[error("transform module {name} was refused before it was compiled: {excess}")]
    Structure {
        /// The module.
        name: String,
        /// What there is too much of.
        excess: Box<StructureError>,
    },
    /// A core module without a component type: not built against `wit/transform.wit`.
    #[error(
        "transform module {name} is a core module that carries no component type of {PACKAGE}, so it was not built with the SDK \
         or with wit-bindgen against wit/transform.wit: {reason}"
    )]
    NotEncodable {
        /// The module.
        name: String,
        /// The encoder's words.
        reason: String,
    },
    /// The compiler refused it.
    #[error("transform module {name} could not be compiled: {reason}")]
    Compile {
        /// The module.
        name: String,
        /// The compiler's words.
        reason: String,
    },
    /// The compiler's process could not be started or spoken with.
    #[error(
        "could not run the compiler for transform module {name} ({} compile); check that this user may start another process, and that \
         there is memory for it", program.display()
    )]
    Compiler {
        /// The module.
        name: String,
        /// The program that has the compiler in it.
        program: Box<Path>,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// Compiling took too long.
    #[error(
        "transform module {name} was refused: compiling it took more than transform.compile.timeout.ms={timeout_ms}; build it smaller, or \
         raise that limit if it is meant to be so large"
    )]
    CompileTimeout {
        /// The module.
        name: String,
        /// The limit, in milliseconds.
        timeout_ms: u64,
    },
    /// Compiling took too much memory.
    #[error(
        "transform module {name} was refused: compiling it took more memory than transform.compile.memory.max.bytes={memory_max_bytes}, \
         or than the system has; build it smaller, or raise that limit if it is meant to be so large ({reason})"
    )]
    CompileMemory {
        /// The module.
        name: String,
        /// The limit, in bytes.
        memory_max_bytes: u64,
        /// How it was noticed.
        reason: Box<str>,
    },
    /// The compiler crashed, and only its own process with it.
    #[error(
        "transform module {name} was refused: the compiler crashed on it ({reason}). If the module is sound, this is a bug of the compiler, \
         or too little memory for it: then raise transform.compile.memory.max.bytes={memory_max_bytes}"
    )]
    CompileCrash {
        /// The module.
        name: String,
        /// The limit, in bytes.
        memory_max_bytes: u64,
        /// The signal or exit code, and the compiler's last words.
        reason: Box<str>,
    },
    /// The program stops, and what became of the module is not known.
    #[error("transform module {name} was not compiled, because the program stops")]
    Stopped {
        /// The module.
        name: String,
    },
    /// A component, but of another world.
    #[error("transform module {name} is not a transform: {reason}; see wit/transform.wit")]
    World {
        /// The module.
        name: String,
        /// The import or export at fault.
        reason: String,
    },
}

/// Why bytes give no machine code, by whichever process found it out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No component can be made of the core module.
    NotEncodable(String),
    /// It does not compile.
    Compile(String),
}

// === impl Refusal ===

impl Refusal {
    /// The error about the module `name`. What is quoted of the module can't reach a terminal.
    pub(super) fn of(self, name: &str) -> LoadError {
        let name = name.to_owned();
        match self {
            Self::NotEncodable(reason) => LoadError::NotEncodable { name, reason: host::printable(&reason) },
            Self::Compile(reason) => LoadError::Compile { name, reason: host::printable(&reason) },
        }
    }
}
