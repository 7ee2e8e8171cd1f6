//! The engine that runs modules, and a module that is loaded: something that can be instantiated in microseconds. One engine a process.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use wasmtime::component::InstancePre;
use wasmtime::{Config, Store};

use super::compile::Compiler;
use super::host::{GuestLog, HostState, Instance};
pub use super::load_error::LoadError;
use super::loader::Loader;
use super::ticker::{Call, Ticker};
use super::{Limits, Version};
use crate::config::ModuleRef;

/// How often running guests are asked whether their time is over. Shorter costs wake-ups, longer makes `transform.timeout.ms` coarser.
pub const TICK: Duration = Duration::from_millis(10);

/// Stack of a guest. A thread that runs one needs a megabyte more of its own: an overflow of that would end the process.
pub const STACK_BYTES: usize = 512 * 1024;

/// Bytes that one call may hand back. A guest with more to say than this for 256 KiB of values is not a transform.
pub(super) const RESULT_MAX_BYTES: usize = 64 * 1024 * 1024;

/// The compiler and the epoch ticker, shared by all connectors of the process.
#[derive(Clone)]
pub struct Engine {
    engine: wasmtime::Engine,
    ticker: Arc<Ticker>,
}

/// A loaded module: compiled, linked and checked. Cheap to clone.
#[derive(Clone)]
pub struct Module {
    engine: Engine,
    version: Arc<Version>,
    pre: Arc<InstancePre<HostState>>,
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
        let engine = compiler();
        let ticking = engine.weak();
        let ticker = Ticker::start(move || ticking.upgrade().map(|engine| engine.increment_epoch()).is_some());
        Self { engine, ticker: Arc::new(ticker) }
    }

    /// Loads what `transform.module` names, compiling in this process.
    ///
    /// # Errors
    ///
    /// If it can't be read, is not WebAssembly, does not compile or is no transform; the message says which.
    pub fn load(&self, module: &ModuleRef) -> Result<Module, LoadError> {
        Ok(self.loader().load_ref(module)?.module)
    }

    /// Loads a component, or a core module that carries wit-bindgen's component type, from its bytes, compiling in this process.
    ///
    /// # Errors
    ///
    /// As [`Engine::load`].
    pub fn load_bytes(&self, name: &str, bytes: &[u8]) -> Result<Module, LoadError> {
        Ok(self.loader().load(name, bytes)?.module)
    }

    fn loader(&self) -> Loader {
        Loader::new(self.clone(), Compiler::InProcess, None)
    }

    pub(super) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.engine
    }
}

/// The compiler alone, as every engine of this program has it: what one has compiled the others can run.
pub(super) fn compiler() -> wasmtime::Engine {
    let mut config = Config::new();
    // Several memories stay allowed: what joins the parts of a composed component (jco makes such) reads one and writes another. What a
    // guest may hold is counted over all of its memories.
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES)
        .memory_may_move(false)
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_relaxed_simd(false);
    wasmtime::Engine::new(&config).expect("the settings fit this platform")
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

// === impl Module ===

impl Module {
    pub(super) fn new(engine: Engine, name: &str, digest: &str, pre: Arc<InstancePre<HostState>>) -> Self {
        Self { engine, version: Arc::new(Version::new(digest, name)), pre }
    }

    /// The same machine code as another version, of this name and a digest of its own: spares tests the compilation.
    #[cfg(test)]
    pub(crate) fn again(&self, name: &str) -> Self {
        Self { version: Arc::new(Version::new(&super::digest_of(name.as_bytes()), name)), ..self.clone() }
    }

    /// Where it came from: `builtin:<name>` or a path.
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

    /// Begins a call of the guest: its time is counted as long as this lives.
    pub(super) fn begin_call(&self) -> Call<'_> {
        self.engine.ticker.call()
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
