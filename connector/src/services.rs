//! What all connectors of a process share: the engine, the state folder, the cache of machine code, metrics.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{CompileLimits, WorkerConfig};
use crate::metrics::Metrics;
use crate::state::{StateDir, StateError};
use crate::transform::code_cache::{CacheError, CodeCache};
use crate::transform::compile::Compiler;
use crate::transform::engine::Engine;
use crate::transform::loader::Loader;

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
    /// The program that compiles modules in a process of its own; without it they are compiled in this one.
    compiler: Option<PathBuf>,
    cache: Option<CodeCache>,
    state: Option<Arc<StateDir>>,
    signature_keys: Vec<[u8; 32]>,
    metrics: Arc<Metrics>,
}

// === impl Services ===

impl Services {
    /// For commands that load a module and end: nothing is kept, nothing is limited but by the person who waits.
    pub fn bare() -> Self {
        Self {
            engine: Engine::new(),
            compiler: None,
            cache: None,
            state: None,
            signature_keys: Vec::new(),
            metrics: Metrics::new(),
        }
    }

    /// For a worker: takes the state folder, if there is one. `compiler` is this program.
    ///
    /// # Errors
    ///
    /// If the state folder can't be used, or another process uses it.
    pub fn of_worker(config: &WorkerConfig, compiler: PathBuf) -> Result<Self, ServicesError> {
        let state = config.state_dir.as_deref().map(StateDir::open).transpose()?;
        let cache = config.state_dir.as_deref().map(|dir| CodeCache::open(&dir.join(CODE_FOLDER))).transpose()?;
        Ok(Self {
            compiler: Some(compiler),
            cache,
            state: state.map(Arc::new),
            signature_keys: config.signature_keys.clone(),
            ..Self::bare()
        })
    }

    /// Loads modules within these limits.
    pub fn loader(&self, limits: CompileLimits) -> Loader {
        let compiler = match &self.compiler {
            Some(program) => Compiler::Child { program: program.clone(), limits },
            None => Compiler::InProcess,
        };
        Loader::new(self.engine.clone(), compiler, self.cache.clone())
    }

    /// The state folder.
    pub fn state_dir(&self) -> Option<&Path> {
        self.state.as_ref().map(|state| state.path())
    }

    /// The public keys that may sign modules.
    pub fn signature_keys(&self) -> &[[u8; 32]] {
        &self.signature_keys
    }

    /// The metrics of this process.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }
}
