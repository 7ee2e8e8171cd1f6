//! Loads modules: from bytes to something that can be instantiated in microseconds. One engine a process.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::{Digest, Sha256};
use thiserror::Error;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Store};
use wit_component::ComponentEncoder;

use super::host::{
    self, ConfigureParams, ConfigureResult, GuestLog, HostState, Instance, TransformParams, TransformResult,
};
use super::{Limits, Version, builtin};
use crate::config::ModuleRef;

/// How often running guests are asked whether their time is over. Shorter costs wake-ups, longer makes `transform.timeout.ms` coarser.
pub const TICK: Duration = Duration::from_millis(10);

/// Stack of a guest. A thread that runs one needs a megabyte more of its own: an overflow of that would end the process.
pub const STACK_BYTES: usize = 512 * 1024;

/// Bytes that one call may hand back. A guest with more to say than this for 256 KiB of values is not a transform.
pub(super) const RESULT_MAX_BYTES: usize = 64 * 1024 * 1024;

/// The largest module file that is read.
const MODULE_MAX_BYTES: u64 = 32 * 1024 * 1024;

/// The interface, as its names stand in a component.
const PACKAGE: &str = "sluice:transform";

/// The log import, of any version that [`Engine::check_world`] lets through.
const LOG_INTERFACE: &str = "sluice:transform/log@";

/// The major version of the interface that this host accepts.
const ACCEPTED_MAJOR: &str = "1";

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
    /// No module with this digest was uploaded: there is no upload yet.
    #[error("no module sha256:{digest} was uploaded; this version takes builtin:<name> or a file")]
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
    #[error("transform module {} has {bytes} bytes, the limit is {MODULE_MAX_BYTES}", path.display())]
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
    /// A component, but of another world.
    #[error("transform module {name} is not a transform: {reason}; see wit/transform.wit")]
    World {
        /// The module.
        name: String,
        /// The import or export at fault.
        reason: String,
    },
}

/// The compiler and the epoch ticker, shared by all connectors of the process.
#[derive(Clone)]
pub struct Engine {
    engine: wasmtime::Engine,
    // Held so that the ticker ends with the last engine.
    _ticker: Arc<Ticker>,
}

/// A loaded module: compiled, linked and checked. Cheap to clone.
#[derive(Clone)]
pub struct Module {
    engine: Engine,
    version: Arc<Version>,
    pre: Arc<InstancePre<HostState>>,
}

struct Ticker {
    stop: std::sync::mpsc::SyncSender<()>,
}

// === impl Engine ===

impl Engine {
    /// Starts the compiler, with everything off that no transform needs.
    ///
    /// # Panics
    ///
    /// If this processor is one that wasmtime has no code generator for, or the system refuses a thread.
    #[expect(clippy::new_without_default, reason = "starting a thread is no default")]
    pub fn new() -> Self {
        let mut config = Config::new();
        config
            .wasm_component_model(true)
            .epoch_interruption(true)
            .max_wasm_stack(STACK_BYTES)
            .memory_may_move(false)
            .wasm_multi_memory(false)
            .wasm_memory64(false)
            .wasm_tail_call(false)
            .wasm_relaxed_simd(false);
        let engine = wasmtime::Engine::new(&config).expect("the settings fit this platform");
        let ticker = Ticker::start(&engine);
        Self { engine, _ticker: Arc::new(ticker) }
    }

    /// Loads what `transform.module` names.
    ///
    /// # Errors
    ///
    /// If it can't be read, is not WebAssembly, does not compile or is no transform; the message says which.
    pub fn load(&self, module: &ModuleRef) -> Result<Module, LoadError> {
        match module {
            ModuleRef::Builtin(name) => {
                let bytes = builtin::find(name)
                    .ok_or_else(|| LoadError::UnknownBuiltin { name: name.clone(), known: builtin::names() })?;
                self.load_bytes(&format!("builtin:{name}"), bytes)
            }
            ModuleRef::Path(path) => {
                let read = |source| LoadError::Read { path: path.clone(), source };
                let bytes = std::fs::metadata(path).map_err(read)?.len();
                if bytes > MODULE_MAX_BYTES {
                    return Err(LoadError::TooLarge { path: path.clone(), bytes });
                }
                self.load_bytes(&path.display().to_string(), &std::fs::read(path).map_err(read)?)
            }
            ModuleRef::Digest(digest) => Err(LoadError::UnknownDigest { digest: digest.clone() }),
        }
    }

    /// Loads a component, or a core module that carries wit-bindgen's component type, from its bytes.
    ///
    /// # Errors
    ///
    /// As [`Engine::load`].
    pub fn load_bytes(&self, name: &str, bytes: &[u8]) -> Result<Module, LoadError> {
        let encoded;
        let component = match bytes.get(..8) {
            Some([0, b'a', b's', b'm', 0x0d, 0, 1, 0]) => bytes,
            Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => {
                encoded = self.encode(name, bytes)?;
                &encoded
            }
            _ => return Err(LoadError::NotWasm { name: name.to_owned(), start: start_of(bytes) }),
        };
        let component = Component::from_binary(&self.engine, component)
            .map_err(|error| LoadError::Compile { name: name.to_owned(), reason: format!("{error:#}") })?;
        let world = |reason| LoadError::World { name: name.to_owned(), reason };
        self.check_world(&component).map_err(world)?;
        let pre = self.link(&component).map_err(|error| world(format!("{error:#}")))?;
        let digest = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let version = Arc::new(Version::new(&digest, name));
        Ok(Module { engine: self.clone(), version, pre: Arc::new(pre) })
    }

    /// Makes a component of a core module, as `cargo build --target wasm32-unknown-unknown` gives it.
    fn encode(&self, name: &str, module: &[u8]) -> Result<Vec<u8>, LoadError> {
        // First, because the encoder panics at a module that was cut off.
        wasmtime::Module::validate(&self.engine, module)
            .map_err(|error| LoadError::Compile { name: name.to_owned(), reason: format!("{error:#}") })?;
        ComponentEncoder::default()
            .validate(true)
            .module(module)
            .and_then(|encoder| encoder.encode())
            .map_err(|error| LoadError::NotEncodable { name: name.to_owned(), reason: format!("{error:#}") })
    }

    /// Imports only what we give, exports what we call, of an interface version that we speak.
    fn check_world(&self, component: &Component) -> Result<(), String> {
        let ty = component.component_type();
        for (import, _) in ty.imports(&self.engine) {
            let (interface, version) = import.split_once('@').unwrap_or((import, ""));
            let ours = interface.strip_prefix(PACKAGE).is_some_and(|rest| rest.starts_with('/'));
            if ours && version.split('.').next() != Some(ACCEPTED_MAJOR) {
                return Err(format!("it was built for {PACKAGE}@{version}, this Sluice accepts {ACCEPTED_MAJOR}.x"));
            }
            if !ours && !interface.starts_with("wasi:") {
                return Err(format!("it imports `{import}`, and a transform may import nothing but {PACKAGE}/log"));
            }
        }
        let function = |name: &str| match ty.get_export(&self.engine, name).map(|export| export.ty) {
            Some(ComponentItem::ComponentFunc(function)) => Ok(function),
            Some(_) => Err(format!("its export `{name}` is not a function")),
            None => Err(format!("it has no export `{name}`")),
        };
        let wrong = |name: &str, error: wasmtime::Error| format!("its export `{name}` has another type: {error:#}");
        let types = ty.instance_type();
        (function("configure")?.typecheck::<ConfigureParams<'_>, ConfigureResult>(&types))
            .map_err(|error| wrong("configure", error))?;
        (function("transform")?.typecheck::<TransformParams<'_>, TransformResult>(&types))
            .map_err(|error| wrong("transform", error))
    }

    /// WASI may be linked, because some toolchains can't leave it out, and has nothing in it: whoever calls it traps.
    fn link(&self, component: &Component) -> wasmtime::Result<InstancePre<HostState>> {
        let mut linker = Linker::new(&self.engine);
        let ty = component.component_type();
        for (import, _) in ty.imports(&self.engine).filter(|(import, _)| import.starts_with(LOG_INTERFACE)) {
            // Under the very name that the guest has for it: a trap defined below would win over a similar one.
            host::link_log(&mut linker, import)?;
        }
        linker.allow_shadowing(true);
        linker.define_unknown_imports_as_traps(component)?;
        linker.instantiate_pre(component)
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

// === impl Module ===

impl Module {
    /// Where it came from: `builtin:<name>`, a path, or `sha256:<digest>`.
    pub fn name(&self) -> &str {
        self.version.name()
    }

    /// The sha256 of its bytes as they were given, in hexadecimal.
    pub fn digest(&self) -> &str {
        self.version.digest()
    }

    /// Which version it is, and how it fares.
    pub fn version(&self) -> &Arc<Version> {
        &self.version
    }

    pub(super) fn store(&self, limits: Limits, log: Arc<Mutex<GuestLog>>) -> Store<HostState> {
        let mut store = Store::new(&self.engine.engine, HostState::new(limits.memory_max_bytes, log));
        store.limiter(|state| state);
        store.set_hostcall_fuel(RESULT_MAX_BYTES);
        store
    }

    pub(super) fn instantiate(&self, store: &mut Store<HostState>) -> wasmtime::Result<Instance> {
        let instance = self.pre.instantiate(&mut *store)?;
        Instance::new(store, &instance)
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").field("version", &self.version).finish_non_exhaustive()
    }
}

// === impl Ticker ===

impl Ticker {
    fn start(engine: &wasmtime::Engine) -> Self {
        let (stop, stopped) = std::sync::mpsc::sync_channel(1);
        let engine = engine.weak();
        let tick = move || {
            while stopped.recv_timeout(TICK) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
            }
        };
        std::thread::Builder::new().name("epoch".to_owned()).spawn(tick).expect("the system gives a thread");
        Self { stop }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        // A full channel means that the ticker was told already.
        let _ = self.stop.try_send(());
    }
}

/// The first bytes of a file, for a message.
fn start_of(bytes: &[u8]) -> String {
    match bytes.get(..bytes.len().min(16)) {
        None | Some([]) => "nothing (it is empty)".to_owned(),
        Some(start) => format!("\"{}\"", start.escape_ascii()),
    }
}
