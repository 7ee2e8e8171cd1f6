//! What all connectors of a process share: the engine, the state folder, the cache of machine code, metrics.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::config::{CompileLimits, PolicyConfig, WorkerConfig};
use crate::metrics::Metrics;
use crate::state::{StateDir, StateError};
use crate::swap::policy::{Policy, PolicyError};
use crate::transform::code_cache::{CacheError, CodeCache};
use crate::transform::compile::Compiler;
use crate::transform::engine::Engine;
use crate::transform::loader::Loader;
use crate::transform::loads::Loads;

/// The folder of machine code within the state folder.
const CODE_FOLDER: &str = "code";

/// Why what is shared can't be made.
#[derive(Debug, thiserror::Error)]
pub enum ServicesError {
    /// The state folder can't be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The cache can't be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Services {
    engine: Engine,
    /// Whether modules are compiled in a process of their own.
    in_child: bool,
    cache: Option<CodeCache>,
    /// What is loaded, and who compiles.
    loads: Loads,
    state: Option<Arc<StateDir>>,
    /// `None` without a worker.
    signature_keys: Option<Vec<[u8; 32]>>,
    metrics: Arc<Metrics>,
}

// === impl Services ===

impl Services {
    /// For commands that load a module and end: nothing is kept, nothing is limited but by the person who waits.
    pub fn bare() -> Self {
        Self {
            engine: Engine::new(),
            in_child: false,
            cache: None,
            loads: Loads::new(),
            state: None,
            signature_keys: None,
            metrics: Metrics::new(),
        }
    }

    /// For a worker: takes the state folder, if there is one. Modules are compiled by this program, in a process of its own.
    ///
    /// # Errors
    ///
    /// If the state folder can't be used, or another process uses it.
    pub fn of_worker(config: &WorkerConfig) -> Result<Self, ServicesError> {
        let state = config.state_dir.as_deref().map(StateDir::open).transpose()?;
        let cache = config.state_dir.as_deref().map(|dir| CodeCache::open(&dir.join(CODE_FOLDER))).transpose()?;
        Ok(Self {
            in_child: true,
            cache,
            state: state.map(Arc::new),
            signature_keys: Some(config.signature_keys.clone()),
            ..Self::bare()
        })
    }

    /// Loads modules within these limits.
    ///
    /// # Errors
    ///
    /// If the system does not tell where this program is.
    pub fn loader(&self, limits: CompileLimits) -> io::Result<Loader> {
        let compiler = if self.in_child { Compiler::this_program(limits)? } else { Compiler::InProcess };
        Ok(Loader::new(self.engine.clone(), compiler, self.cache.clone()).among(self.loads.clone()))
    }

    /// The state folder.
    pub fn state_dir(&self) -> Option<&Path> {
        self.state.as_ref().map(|state| state.path())
    }

    /// Which modules a connector may run. A command that knows no worker has no keys, and does not ask for signatures.
    ///
    /// # Errors
    ///
    /// If signatures are required and the worker has no key.
    pub fn policy(&self, config: &PolicyConfig) -> Result<Policy, PolicyError> {
        match &self.signature_keys {
            Some(keys) => Policy::new(config, keys),
            None => Policy::new(&PolicyConfig { signature: false, ..config.clone() }, &[]),
        }
    }

    /// The metrics of this process.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }
}
